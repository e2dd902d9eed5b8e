"""A generation on its rungs: all candidates are trained for a short time and measured, the better ones go on.

>>> climb(driver, "generation 2", records, more=hours.are_left)

A rung is a pause in one training: its checkpoint is gone on from, and the learning rate is that of the whole. All wait
for each other at a rung, so equal seeds give equal records for any number of workers. What was measured at a rung is
stored at once; a candidate that is killed between two rungs goes on from its checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rosearch.evolution.promotion import measured_rung, promoted
from rosearch.materials.life import CandidateJob
from rosearch.measurements import Measurements, Rung
from rosearch.records.record import Outcome, Record
from rosearch.records.waiting import WAITING, read_waiting, waiting_fact
from rosearch.run.backends.backend import More
from rosearch.run.driver import Driver, candidate_job


def climb(driver: Driver, title: str, records: Sequence[Record], more: More) -> None:
    """Runs the records that are not over, rung after rung; as `Driver.work`, it begins nothing once `more()` is False.

    Raises as `Driver.work`.
    """
    driver.run.remove_unfinished(*(record for record in records if not _is_open(record)))  # as `Driver.work`
    if not any(map(_is_open, records)):
        return
    ours = {record.id for record in records}
    waiting = {identity: one for identity, one in read_waiting(driver.store).items() if identity in ours}
    stair, shares = _Stair(driver, records[0].generation, waiting), driver.experiment.evolution.rungs
    for number, share in enumerate(shares, start=1):
        stair.run(f"{title}, rung {number} of {len(shares)}", stair.below(number), share, more)
        if stair.below(number):
            return  # no hours are left
        stair.stop_others(number)
    stair.run(f"{title}, promoted", stair.open(), 1.0, more)
    if not stair.open():
        driver.store.set_meta(WAITING, {})


def _is_open(record: Record) -> bool:
    return record.status in ("pending", "running")


@dataclass
class _Stair:
    """A generation, and the outcomes of those that were measured at a rung, as if they had ended there."""

    driver: Driver
    generation: int
    waiting: dict[str, Outcome]  # by the id of the architecture

    def open(self) -> list[Record]:
        """The records that are not over, with what was measured of them so far."""
        found = (record for record in self._all() if _is_open(record))
        return [replace(one, measurements=self.waiting.get(one.id, Outcome(None)).measurements) for one in found]

    def below(self, number: int) -> list[Record]:
        """The open records that were not measured at a rung."""
        return [record for record in self.open() if len(self._rungs(record)) < number]

    def run(self, title: str, records: Sequence[Record], share: float, more: More) -> None:
        """Trains records up to a share of their steps, from where they are, and measures them."""

        def job(driver: Driver, record: Record) -> CandidateJob:
            return job_up_to(driver, record, share)

        def take(record: Record, outcome: Outcome) -> Record:
            whole = self._with_before(record, outcome)
            if share < 1.0 and whole.measurements is not None:
                return self._rest(record, whole, whole.measurements, share)
            return self.driver.finish(record, whole)

        self.driver.work(title, records, job, more, take)

    def stop_others(self, number: int) -> None:
        """Ends the training of those at a rung that are not promoted there."""
        config = self.driver.experiment.evolution
        rungs = {one.number: found[number - 1] for one in self._all() if len(found := self._rungs(one)) >= number}
        going_on = promoted(rungs, config.rung_keep, config.rung_slack)
        for record in self.open():
            if record.number not in going_on and len(self._rungs(record)) == number:
                self.driver.observer.finished(self.driver.finish(record, self.waiting[record.id]))

    def _all(self) -> list[Record]:
        return self.driver.recorded("candidate", self.generation)

    def _rungs(self, record: Record) -> tuple[Rung, ...]:
        """The rungs at which a record was measured; of one that was done with by another process, its own."""
        kept = self.waiting.get(record.id)
        if kept is None and record.status == "done":
            kept = Outcome(record.bare().measurements)
        return () if kept is None or kept.measurements is None else kept.measurements.rungs

    def _with_before(self, record: Record, outcome: Outcome) -> Outcome:
        """An outcome with the rungs and the seconds before it."""
        before = self.waiting.get(record.id, Outcome(None)).seconds
        stages = dict.fromkeys((*before, *outcome.seconds))
        seconds = {stage: before.get(stage, 0.0) + outcome.seconds.get(stage, 0.0) for stage in stages}
        passed = tuple(replace(rung, promoted=True) for rung in self._rungs(record))
        measured = outcome.measurements and replace(outcome.measurements, rungs=passed)
        return replace(outcome, measurements=measured, seconds=seconds)

    def _rest(self, record: Record, outcome: Outcome, found: Measurements, share: float) -> Record:
        """Stores what was measured at a rung; the record waits again."""
        measured = replace(found, rungs=(*found.rungs, measured_rung(found, share, self.driver.yardstick)))
        self.waiting[record.id] = replace(outcome, measurements=measured)
        self.driver.store.rest(record.number, waiting_fact(self.waiting))
        return replace(record, status="pending", measurements=measured, seconds=outcome.seconds)


def job_up_to(driver: Driver, record: Record, share: float) -> CandidateJob:
    """The job of a candidate up to a share of its steps; at a rung its attack has as large a share of the rows.

    An attack at a rung is not given up for being hopeless: its figures have to be those of all others there.
    """
    job = candidate_job(driver, record)
    rows = max(1, math.ceil(share * job.suite.rows))
    suite = job.suite if share == 1.0 else job.suite.model_copy(update={"rows": rows, "hopeless": None})
    return replace(job, suite=suite, until=share, unfinished=driver.run.unfinished_folder(record))
