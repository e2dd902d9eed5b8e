"""A steady search: whenever a worker is free, the strategy is asked for one more candidate.

>>> evolve(driver, strategy, more=hours.are_left)

No worker waits for the slowest of a generation. What is proposed follows from the seed and from the outcomes in the
order in which they came, so that order is recorded. A record's `generation` counts the candidates that were over when
it was proposed: both together say what each proposal knew.
"""

from __future__ import annotations

from collections import deque

from rosearch.evolution.strategy import Strategy
from rosearch.records.order import read_order
from rosearch.records.record import Record
from rosearch.run.backends.backend import More
from rosearch.run.driver import Driver


def evolve(driver: Driver, strategy: Strategy, more: More) -> None:
    """Goes on with a search until the strategy is finished, or until `more()` is False and nothing is under way.

    The strategy is rebuilt from the records. What was cut short runs first. Raises as `Driver.work`, and `RunError`
    where the order of the outcomes is damaged.
    """
    order, left = _rebuilt(driver, strategy)
    if not more() or not (left or strategy.ask_one()):
        return
    every = driver.experiment.evolution.population

    def next_record() -> Record | None:
        if left:
            return left.popleft()
        if (proposal := strategy.ask_one()) is None:
            return None
        (record,) = driver.propose("candidate", len(order), [(proposal, 0, "")])
        strategy.begin(record)
        return record

    def told(record: Record) -> None:
        strategy.tell_one(record)
        if len(order) % every == 0:
            driver.prune_students(strategy.breeding)

    to_run = driver.experiment.evolution.candidates - len(order)
    driver.flow(f"{to_run:,} candidates, each as a worker becomes free", next_record, order, told, more)
    driver.prune_students(strategy.breeding)


def _rebuilt(driver: Driver, strategy: Strategy) -> tuple[list[int], deque[Record]]:
    """Tells a new strategy all that was recorded. The order of the outcomes, and the candidates without one."""
    candidates = driver.recorded_candidates()
    order = read_order(driver.store, candidates)
    for record in candidates:
        strategy.begin(record)
    by_number = {record.number: record for record in candidates}
    for number in order:
        strategy.tell_one(by_number[number])
    return order, deque(record for record in candidates if record.status in ("pending", "running"))
