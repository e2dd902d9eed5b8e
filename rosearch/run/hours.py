"""The hours that a search may take: its clock over all its starts, and more hours for one that they have ended.

The clock runs while a driver works on data, teacher, baselines and candidates. Finalists come after it. What a killed
driver did since its last note, a minute at most while students are trained, is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from rosearch.config.experiment import Experiment
from rosearch.errors import RunError
from rosearch.records.budget import Budget, Stop, note_budget, read_budget
from rosearch.records.store import Store
from rosearch.run.results import Results

_EVERY_S = 60.0  # between two notes


class Hours:
    """The clock of a search, and its limit where there is one.

    `limit` is `evolution.hours`, or what a resume has allowed in its place; None: no limit.
    """

    def __init__(self, store: Store, experiment: Experiment, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._before = read_budget(store)
        self._began = self._noted = clock()
        self._stopped_at: float | None = self._began if store.finished() else None
        self.limit = self._before.hours or experiment.evolution.hours

    @property
    def worked_seconds(self) -> float:
        """The seconds that the search has worked, over all its starts."""
        now = self._clock() if self._stopped_at is None else self._stopped_at
        return self._before.worked_seconds + now - self._began

    def seconds_left(self) -> float | None:
        """Until no candidate starts any more; None without a limit."""
        return None if self.limit is None else max(0.0, self.limit * 3600 - self.worked_seconds)

    def are_left(self) -> bool:
        """True while candidates may start. The time is noted now and then."""
        if self._clock() - self._noted >= _EVERY_S:
            self._note("")
        return self.seconds_left() != 0.0

    def stop(self, by: Stop) -> None:
        """Stops the clock where the search is over, and notes the key of `evolution` that has ended it."""
        if self._stopped_at is None:
            self._stopped_at = self._clock()
            self._note(by)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Notes the time in the run where a search is left before it is over."""
        try:
            yield
        finally:
            if self._stopped_at is None:
                with suppress(Exception):  # on a full disk; it is then counted to the last note
                    self._note("")

    def _note(self, stopped: Stop) -> None:
        self._noted = self._clock()
        seconds = round(self.worked_seconds, 1)
        note_budget(self._store, replace(self._before, worked_seconds=seconds, stopped=stopped))


def allow_hours(store: Store, hours: float) -> None:
    """Gives a search `hours` in all, so that one that its hours have ended goes on.

    Raises `RunError` where it ended for another reason, or has worked that long already.
    """
    budget = read_budget(store)
    if store.finished() and budget.stopped != "hours":
        ended = "nothing got better any more" if budget.stopped else "its candidates were all tried"
        raise RunError(f"{store.path.parent}: --hours: expected a search that its hours have ended: {ended}")
    if hours <= budget.worked_hours:
        worked = f"more than the {budget.worked_hours:.3g} hours that it has worked"
        raise RunError(f"{store.path.parent}: --hours: expected {worked}, got {hours:g}: they are hours in all")
    note_budget(store, Budget(budget.worked_seconds, hours))
    store.set_finished(False)


def stop_in_words(results: Results) -> str:
    """Why a search has ended before its last candidate, and how it goes on; "" where it has not."""
    of = results.experiment.evolution
    tried = results.counts["candidate", "done"] + results.counts["candidate", "failed"]
    told = f"{tried} of {of.candidates} candidates were tried"
    if results.budget.stopped == "hours":
        more = f"`{results.run.resume_command} --hours N` goes on, with N hours in all"
        return f"evolution.hours: {results.hours:g} h are over, {told}. {more}"
    if results.budget.stopped == "patience":
        still = "the front has not changed" if of.strategy == "nsga2" else "the best fitness has not risen"
        return f"evolution.patience: {still} for {of.patience} candidates, {told}"
    return ""
