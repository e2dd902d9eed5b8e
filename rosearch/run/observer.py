"""The observer of a search: a terminal, a log, a test, or nobody.

>>> run_search(run, Nobody())

`rosearch search` passes the bars of `terminal.progress`. An observer with a method `overall` is told the whole as well
(`following.Onlooker`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rosearch.records.record import Record


class Observer(Protocol):
    """Told by the driver what happens, as it happens. A record comes as it is stored."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """The driver's own long work goes on: fine-tuning, the teacher's outputs."""

    def note(self, text: str) -> None:
        """A warning about data or teacher, once a start."""

    def batch(self, title: str, records: Sequence[Record]) -> None:
        """A generation (or the baselines, the finalists) is about to run; a steady search has no records yet."""

    def started(self, record: Record) -> None:
        """A worker took a candidate."""

    def stage(self, record: Record, stage: str, done: int, total: int) -> None:
        """A worker goes on with a candidate."""

    def finished(self, record: Record) -> None:
        """A candidate is recorded, done or failed."""


class Nobody:
    """The observer of a search that nobody watches."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Ignored."""

    def note(self, text: str) -> None:
        """Ignored."""

    def batch(self, title: str, records: Sequence[Record]) -> None:
        """Ignored."""

    def started(self, record: Record) -> None:
        """Ignored."""

    def stage(self, record: Record, stage: str, done: int, total: int) -> None:
        """Ignored."""

    def finished(self, record: Record) -> None:
        """Ignored."""
