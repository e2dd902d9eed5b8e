from __future__ import annotations

import random
from dataclasses import replace

from attacked_results import attacked, measured, record

from rosearch.evolution.fitness import Fitness
from rosearch.records.record import Record
from rosearch.run.tally import Tally

FOUND = measured(attacked("deepwordbug", "ssbb"))
STATES = ("pending", "running", "done", "failed")
ROLES = ("baseline", "candidate", "finalist")


def told(tally: Tally) -> tuple[object, ...]:
    of_roles = [(tally.of_role(role), tally.over(role), tally.latest_seconds(role)) for role in ROLES]
    return tally.newest, tally.best, tally.running, of_roles


def fitness(scalar: float, *gates: str) -> Fitness:
    return Fitness(0.5, 0.5, 0.5, scalar, gates, 0.0)


def test_records_that_change_one_after_the_other_are_counted_as_they_are_in_the_end() -> None:
    rng, tally, now = random.Random(3), Tally(), dict[int, Record]()
    judged = {number: fitness(rng.random(), *(["min_quality"] if number % 5 == 0 else [])) for number in range(1, 60)}
    for number in range(1, 60):
        role = ROLES[min(number // 20, 2)]
        now[number] = replace(record(number, FOUND), role=role, status="pending", seconds={})
        tally.put(now[number])
    for _ in range(300):
        number = rng.randrange(1, 60)
        later = STATES[min(STATES.index(now[number].status) + 1, 2 + number % 2)]
        if now[number].status in ("pending", "running"):
            now[number] = replace(now[number], status=later, seconds={"distil": float(number)})
        tally.put(now[number], judged[number] if now[number].status == "done" else None)
    found = {number: judged[number] for number, one in now.items() if one.status == "done"}
    assert told(tally) == told(Tally.of(now.values(), found))
    assert tally.running < 59 and tally.best is not None


def test_of_two_equals_the_earlier_is_the_best_whichever_ended_first() -> None:
    tally = Tally()
    for number in (2, 1, 3):
        tally.put(record(number, FOUND), fitness(0.5))
    tally.put(record(4, FOUND), fitness(0.9, "min_quality"))
    assert tally.best == (0.5, 1)


def test_the_latest_seconds_are_those_of_the_highest_numbers() -> None:
    numbers = random.Random(1).sample(range(1, 40), 39)
    tally = Tally.of([replace(record(n, FOUND), seconds={"distil": float(n)}) for n in numbers], {})
    assert tally.latest_seconds("candidate") == [{"distil": float(n)} for n in range(28, 40)]
