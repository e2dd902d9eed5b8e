"""Runs that are looked at again and again while they go on: their results, and their page.

A search is not slowed: records are read again only where their file has changed, pages are made only for who asks,
and either takes no more than a tenth of the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rosearch.errors import RosearchError, one_line
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results, load_results

_SHARE = 0.1  # of the time, at most, is spent on reading records, and on making pages
_AGAIN_S = 5.0  # a page that could not be made is tried again


@dataclass
class Watched:
    """The records of a run, read again where their file has changed."""

    run: RunDirectory
    _results: Results | None = None
    _stamp: object = None
    _next: float = 0.0

    def results(self) -> Results:
        """The results of now, or of a moment ago."""
        now, state = time.monotonic(), self.run.store.stat()
        found = state.st_mtime_ns, state.st_size
        if self._results is None or (found != self._stamp and now >= self._next):
            self._results, self._stamp = load_results(self.run), found
            taken = time.monotonic() - now
            self._next = now + taken / _SHARE
        return self._results


@dataclass(frozen=True)
class Look:
    """The edition that a reader would get now, how the runs stand, and what keeps a new one from being made."""

    edition: str
    state: str
    problem: str = ""


@dataclass
class WatchedPage:
    """The report of runs that go on. Threads may ask at once: one makes the page, and all get it."""

    runs: Sequence[RunDirectory]
    version: str = ""
    _page: str = ""
    _edition: str = ""
    _problem: str = ""
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> Look:
        """Cheap: no record is read. A new edition is told once it may be made."""
        try:
            edition, state = self._now()
        except (RosearchError, OSError) as error:
            return Look(self._edition, "", self.problem(error))
        due = not self._page or time.monotonic() >= self._next
        return Look(edition, state) if due else Look(self._edition, state, self._problem)

    def page(self) -> str:
        """The page of now or of a moment ago; the last one where a run cannot be read any more.

        Raises `RosearchError` or `OSError` where there is none yet.
        """
        with self._lock:
            try:
                edition, _ = self._now()
                if not self._page or (edition != self._edition and time.monotonic() >= self._next):
                    self._make(edition)
            except (RosearchError, OSError) as error:
                if not self._page:
                    raise
                self._problem, self._next = self.problem(error), time.monotonic() + _AGAIN_S
            return self._page

    def problem(self, error: RosearchError | OSError) -> str:
        """The reason why a run cannot be read, in one line."""
        if gone := [run.path for run in self.runs if not run.store.exists()]:
            return f"{gone[0]}: the run is gone: its records do not lie there any more"
        return one_line(error, None)

    def _make(self, edition: str) -> None:
        from rosearch.report.page import render_page  # late: who watches in a terminal needs no page

        began = time.monotonic()
        page = render_page([load_results(run) for run in self.runs], self.version, live=edition)
        self._page, self._edition, self._problem = page, edition, ""
        self._next = began + (time.monotonic() - began) / _SHARE

    def _now(self) -> tuple[str, str]:
        """The edition that the files allow, and how the first run stands."""
        told = []
        for run in self.runs:
            state = run.store.stat()
            told.append(f"{state.st_mtime_ns:x}.{state.st_size:x}.{'running' if run.driver() else 'still'}")
        return "-".join(told), "the search goes on" if self.runs[0].driver() else "no search works on this run"
