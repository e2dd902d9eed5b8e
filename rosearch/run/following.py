"""An observer between a search and its own observer: it keeps the whole, for one line and for `rosearch status`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from rosearch.config.experiment import Experiment
from rosearch.evolution.fitness import Yardstick
from rosearch.measurements import TeacherFacts
from rosearch.records.record import Record
from rosearch.run.course import Overall, overall
from rosearch.run.observer import Observer
from rosearch.run.standing import AtWork, Stage, Standing, StandingFile
from rosearch.run.tally import Tally


@runtime_checkable
class Onlooker(Protocol):
    """An observer that is also told how far the whole search is, whenever that has changed."""

    def overall(self, told: Overall) -> None:
        """The search has come so far."""


class Following:
    """Passes everything on to an observer, and tells it the whole; an `Observer` itself."""

    def __init__(self, experiment: Experiment, records: Sequence[Record], file: StandingFile, to: Observer) -> None:
        self._experiment, self._file, self._to = experiment, file, to
        self._before, self._tally = records, Tally.of(records, {})
        self._yardstick: Yardstick | None = None
        self._own: dict[str, Stage] = {}
        self._at_work: dict[int, AtWork] = {}
        self._budget_s: Callable[[], float | None] = lambda: None
        self._write()
        self._tell_whole()

    def limited(self, seconds_left: Callable[[], float | None]) -> None:
        """Takes what says how long candidates may still start."""
        self._budget_s = seconds_left

    def measured(self, teacher: TeacherFacts) -> None:
        """The teacher is known, and with it the fitness of every student."""
        self._yardstick = Yardstick.of(self._experiment.fitness, teacher)
        for record in self._before:
            self._count(record)
        self._before = ()
        self._tell_whole()

    def progress(self, stage: str, done: int, total: int) -> None:
        """See `Observer`."""
        since = self._own[stage].since if stage in self._own else time.time()
        self._own[stage] = Stage(stage, done, total, since)
        if done >= total:
            del self._own[stage]
        self._write()
        self._to.progress(stage, done, total)

    def note(self, text: str) -> None:
        """See `Observer`."""
        self._to.note(text)

    def batch(self, title: str, records: Sequence[Record]) -> None:
        """See `Observer`."""
        for record in records:
            self._count(record)
        self._to.batch(title, records)
        self._tell_whole()

    def started(self, record: Record) -> None:
        """See `Observer`."""
        self._count(record)  # one of a steady search is new
        self.stage(record, "start", 0, 1, first=True)

    def stage(self, record: Record, stage: str, done: int, total: int, *, first: bool = False) -> None:
        """See `Observer`."""
        before = self._at_work.get(record.number)
        since = before.stage.since if before is not None and before.stage.name == stage else time.time()
        self._at_work[record.number] = AtWork(record.number, record.label, Stage(stage, done, total, since))
        self._write()
        if first:
            self._to.started(record)
        else:
            self._to.stage(record, stage, done, total)

    def finished(self, record: Record) -> None:
        """See `Observer`."""
        self._at_work.pop(record.number, None)
        self._count(record)
        self._write()
        self._to.finished(record)
        self._tell_whole()

    def _count(self, record: Record) -> None:
        self._tally.put(record, None if self._yardstick is None else self._yardstick.judge(record))

    def _write(self) -> None:
        self._file.put(Standing(time.time(), tuple(self._own.values()), tuple(self._at_work.values())))

    def _tell_whole(self) -> None:
        if isinstance(self._to, Onlooker):
            self._to.overall(overall(self._experiment, self._tally, budget_s=self._budget_s()))
