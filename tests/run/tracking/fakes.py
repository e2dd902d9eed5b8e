"""Trackers that keep what they are told, are slow, fail or hang."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from rosearch.run.tracking.row import Row


class Kept:
    """Remembers the rows; `had` are numbers that it has from before."""

    def __init__(self, had: Collection[int] = ()) -> None:
        self.had = had
        self.rows: list[Row] = []
        self.closed: list[bool] = []
        self.threads: set[str] = set()

    def known(self) -> Collection[int]:
        return self.had

    def write(self, row: Row) -> None:
        self.threads.add(threading.current_thread().name)
        self.rows.append(row)

    def close(self, ended: bool) -> None:
        self.closed.append(ended)

    @property
    def numbers(self) -> list[int]:
        return [row.number for row in self.rows]


class Failing(Kept):
    """Raises in one of its methods."""

    def __init__(self, method: str, error: BaseException) -> None:
        super().__init__()
        setattr(self, method, self._fail)
        self._error = error

    def _fail(self, *_: object) -> Collection[int]:
        raise self._error


class Hanging(Kept):
    """Stays in its first row until it is let go; `begun` is set once it is there."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let_go = threading.Event(), threading.Event()

    def write(self, row: Row) -> None:
        self.begun.set()
        self.let_go.wait(60)
        super().write(row)


def opening(error: BaseException) -> Callable[[], Kept]:
    """A tracker that cannot be opened."""

    def fail() -> Kept:
        raise error

    return fail
