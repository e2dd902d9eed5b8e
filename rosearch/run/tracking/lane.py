"""A tracker in a thread of its own: nothing that it raises, and no time that it takes, reaches the search."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Full, Queue

from rosearch.errors import one_line
from rosearch.records.record import Record
from rosearch.run.tracking.row import Rows
from rosearch.run.tracking.tracker import Tracker

MOST_WAITING = 1_000  # candidates; a tracker that is so far behind is left out


class Lane:
    """Takes records at once and hands them to a tracker as fast as that takes them.

    `left_out` says why the tracker gets no more; "" while all is well. Whoever owns the lane tells it.
    """

    def __init__(self, name: str, open_tracker: Callable[[], Tracker], rows: Rows) -> None:
        self.name, self.left_out = name, ""
        self._open, self._rows = open_tracker, rows
        self._waiting: Queue[Sequence[Record] | None] = Queue(MOST_WAITING)
        self._ended = False
        # A daemon, since one that hangs must not keep the process from its end.
        self._thread = threading.Thread(target=self._work, name=f"track-{name}", daemon=True)

    def begin(self, records: Sequence[Record]) -> None:
        """Opens the tracker, which is given what it lacks of earlier records first."""
        self._waiting.put_nowait(records)
        try:
            self._thread.start()
        except RuntimeError as error:  # the system has no thread left
            self._leave_out(one_line(error))

    def put(self, record: Record) -> None:
        """Takes a finished record. Returns at once."""
        self._put([record])

    def close(self, ended: bool) -> None:
        """Lets the thread end once it has handed over what waits. Returns at once."""
        self._ended = ended
        self._put(None)

    def wait(self, seconds: float) -> None:
        """Waits for the thread; a tracker that is not ready by then is left out."""
        if self.left_out or not self._thread.is_alive():
            return
        self._thread.join(max(seconds, 0.0))
        if self._thread.is_alive():
            self._leave_out("it was not ready at the end of the search")

    def _put(self, records: Sequence[Record] | None) -> None:
        if not self.left_out:
            try:
                self._waiting.put_nowait(records)
            except Full:
                self._leave_out(f"it is too slow: {MOST_WAITING:,} candidates wait for it")

    def _leave_out(self, why: str) -> None:
        self.left_out = self.left_out or why

    def _work(self) -> None:
        try:
            tracker = self._open()
            try:
                self._hand_over(tracker)
            finally:
                tracker.close(self._ended)
        except BaseException as error:  # also the exit that a library asks for: it would end this thread alone
            self._leave_out(one_line(error, named=True))

    def _hand_over(self, tracker: Tracker) -> None:
        known = set(tracker.known())
        while (records := self._waiting.get()) is not None:
            for record in records:
                row = self._rows.of(record)  # of all of them, for the best so far
                if self.left_out:
                    return
                if row.number not in known:
                    tracker.write(row)
