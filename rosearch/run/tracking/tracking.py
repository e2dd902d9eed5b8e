"""An observer between a driver and its observer that also tells the trackers of finished candidates."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rosearch.records.record import Record
from rosearch.run.observer import Observer
from rosearch.run.tracking.lane import Lane

FLUSH_S = 10.0  # for all trackers together, once the search is over


class Tracking:
    """Passes everything on to an observer first, then finished records to the lanes; an `Observer` itself."""

    def __init__(self, to: Observer, lanes: Sequence[Lane]) -> None:
        self._to, self._lanes = to, lanes
        self._told: set[str] = set()

    def begin(self, records: Sequence[Record]) -> None:
        """Opens the trackers, with what was recorded before."""
        over = [record for record in records if record.status in ("done", "failed")]
        for lane in self._lanes:
            lane.begin(over)

    def close(self, ended: bool) -> None:
        """Gives the trackers some seconds to write what waits. `ended` is False where the search was stopped."""
        until = time.monotonic() + FLUSH_S
        for lane in self._lanes:
            lane.close(ended)
        for lane in self._lanes:
            lane.wait(until - time.monotonic())
        self._tell()

    def progress(self, stage: str, done: int, total: int) -> None:
        """See `Observer`."""
        self._to.progress(stage, done, total)

    def note(self, text: str) -> None:
        """See `Observer`."""
        self._to.note(text)

    def batch(self, title: str, records: Sequence[Record]) -> None:
        """See `Observer`."""
        self._to.batch(title, records)

    def started(self, record: Record) -> None:
        """See `Observer`."""
        self._to.started(record)

    def stage(self, record: Record, stage: str, done: int, total: int) -> None:
        """See `Observer`."""
        self._to.stage(record, stage, done, total)

    def finished(self, record: Record) -> None:
        """See `Observer`."""
        self._to.finished(record)
        for lane in self._lanes if record.status != "pending" else ():  # at a rung
            lane.put(record)
        self._tell()

    def _tell(self) -> None:
        """One note of each tracker that is left out, from the thread that an observer knows."""
        for lane in self._lanes:
            if lane.left_out and lane.name not in self._told:
                self._told.add(lane.name)
                so = "The search and its records are as without it; the next `rosearch resume` gives it what it lacks"
                self._to.note(f"execution.track: {lane.name} is left out: {lane.left_out}. {so}")
