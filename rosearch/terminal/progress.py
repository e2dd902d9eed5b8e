"""The progress of long work: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from rosearch.progress import check_stop
from rosearch.records.record import Record
from rosearch.terminal.console import print_line, print_message


class SearchDisplay:
    """Shows a search while it runs; an `observer.Observer` and a context manager.

    On a terminal: a bar for the generation, one for each candidate at work, one for the driver's own stages.
    Elsewhere: a line when something starts or ends, and now and then in between, so that a log file stays readable.
    """

    def __init__(self, console: Console, every: float = 30.0) -> None:
        """`every` is the number of seconds between two lines of one stage in a log."""
        self._console = console
        self._every = every
        self._told: dict[str, float] = {}
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._own: dict[str, TaskID] = {}
        self._at_work: dict[int, TaskID] = {}
        self._batch: TaskID | None = None
        self._title = ""
        self._began: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def progress(self, stage: str, done: int, total: int) -> None:
        """A stage of the driver itself, such as the teacher's fine-tuning."""
        check_stop()
        if stage not in self._began:
            self._began[stage] = time.perf_counter()
            self._own[stage] = self._bars.add_task(stage, total=total)
            self._line(f"{stage} ...")
        self._bars.update(self._own[stage], completed=done, total=total)
        now = time.perf_counter()
        if 0 < done < total and now - self._told.get(stage, self._began[stage]) >= self._every:
            self._told[stage] = now
            self._line(f"{stage}: {done} of {total} in {now - self._began[stage]:.0f} s")
        if done >= total:
            self._told.pop(stage, None)
            self._line(f"{stage}: done in {time.perf_counter() - self._began.pop(stage):.0f} s")
            self._bars.remove_task(self._own.pop(stage))

    def detail(self, stage: str, text: str) -> bool:
        """A word beside the bar of a stage; False where there is no terminal to show it on."""
        if self._console.is_terminal and stage in self._own:
            self._bars.update(self._own[stage], description=f"{stage}, {text}")
        return self._console.is_terminal

    def note(self, text: str) -> None:
        """A warning about data or teacher."""
        print_message("warning", "yellow", text)

    def batch(self, title: str, records: Sequence[Record]) -> None:
        """A generation is about to run."""
        if self._batch is not None:
            self._bars.remove_task(self._batch)
        self._title = title
        self._batch = self._bars.add_task(title, total=len(records))
        self._line(f"{title}: {len(records)} to run")

    def started(self, record: Record) -> None:
        """A worker took a candidate."""
        self._at_work[record.number] = self._bars.add_task(f"  {_label(record)}: build", total=None)

    def stage(self, record: Record, stage: str, done: int, total: int) -> None:
        """A worker's progress."""
        if (bar := self._at_work.get(record.number)) is not None:
            self._bars.update(bar, description=f"  {_label(record)}: {stage}", completed=done, total=total)

    def finished(self, record: Record) -> None:
        """A candidate is recorded."""
        if (bar := self._at_work.pop(record.number, None)) is not None:
            self._bars.remove_task(bar)
        if self._batch is not None:
            self._bars.advance(self._batch)
        print_line(f"  {_label(record)} {_verdict(record)}", self._console)

    def _line(self, text: str) -> None:
        if not self._console.is_terminal:
            print_line(text, self._console)


def _label(record: Record) -> str:
    name = f" {record.name}" if record.name else ""
    replicate = f".{record.replicate}" if record.role == "finalist" else ""
    return f"#{record.number}{replicate} {record.id[:8]}{name}"


def _verdict(record: Record) -> str:
    seconds = f"{sum(record.seconds.values()):.0f} s"
    if record.failure is not None:
        return f"failed after {seconds}: {record.failure}"
    found = record.measurements
    if found is None:
        return record.status
    robust = "" if found.robustness is None else f", under attack {found.robustness.under_attack.value:.1%}"
    smaller = f"{found.efficiency.compression:.1f}x smaller"
    return f"{found.quality.metric} {found.quality.value:.3f}{robust}, {smaller}, {seconds}"
