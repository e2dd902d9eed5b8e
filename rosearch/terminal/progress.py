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


class SearchDisplay:
    """Shows a search while it runs; an `observer.Observer` and a context manager.

    On a terminal: a bar for the generation, one for each candidate at work, one for the driver's own stages.
    Elsewhere: a line when something starts or ends, so that a log file stays readable.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
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
        if done >= total:
            self._line(f"{stage}: done in {time.perf_counter() - self._began.pop(stage):.0f} s")
            self._bars.remove_task(self._own.pop(stage))

    def detail(self, stage: str, text: str) -> bool:
        """A word beside the bar of a stage; False where there is no terminal to show it on."""
        if self._console.is_terminal and stage in self._own:
            self._bars.update(self._own[stage], description=f"{stage}, {text}")
        return self._console.is_terminal

    def batch(self, title: str, records: Sequence[Record]) -> None:
        """A generation is about to run."""
        if self._batch is not None:
            self._bars.remove_task(self._batch)
        self._title = title
        self._batch = self._bars.add_task(f"[bold]{title}", total=len(records))
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
        self._console.print(f"  {_label(record)} {_verdict(record)}", highlight=False, markup=False, soft_wrap=True)

    def _line(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(text, highlight=False, soft_wrap=True)


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
