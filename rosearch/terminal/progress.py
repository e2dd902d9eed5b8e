"""The progress of long work: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from rosearch.errors import safe
from rosearch.progress import check_stop, step
from rosearch.records.record import Record
from rosearch.report.course import overall_line, stage_words
from rosearch.report.data import metric_unit
from rosearch.report.overview import size_in_words
from rosearch.run.course import Overall
from rosearch.terminal.console import err, print_line, print_message

_AFTER_S = 2.0  # that a step without a count lasts before a log tells it
_BEAT_S = 0.5  # between two looks at what lasts


@dataclass
class _Open:
    """A stage of the driver that is not over."""

    bar: TaskID
    began: float
    told: float  # when a log was last told; 0: never
    done: int
    total: int


@dataclass
class _Whole:
    """The last that was told of the whole search, and when."""

    told: Overall
    at: float

    def line(self) -> str:
        return overall_line(self.told, time.perf_counter() - self.at)


class SearchDisplay:
    """Shows a search, or other long work, while it runs; an `observer.Observer` and a context manager.

    On a terminal: a line of the whole, a bar for each of the driver's own stages, one for each candidate at work.
    Elsewhere: a line when something starts or ends, and now and then in between, so that a log file stays readable.
    """

    def __init__(self, console: Console, every: float = 30.0, beat: float | None = _BEAT_S) -> None:
        """`every` is the number of seconds between two lines of one stage in a log.

        `beat` are those between two looks at stages that tell nothing; None: nobody looks.
        """
        self._console, self._every, self._beat = console, every, beat
        self._whole: _Whole | None = None
        self._bars = _Bars(self, console)
        self._own: dict[str, _Open] = {}
        self._at_work: dict[int, TaskID] = {}
        self._now: dict[int, str] = {}  # of each candidate at work, in words
        self._said = time.perf_counter()  # when a log was last told of the whole
        self._lock = threading.RLock()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._bars.start()
        if self._beat is not None and not self._console.is_terminal:
            threading.Thread(target=self._look, args=(self._beat,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._bars.stop()

    def progress(self, stage: str, done: int, total: int) -> None:
        """A stage of the driver itself, such as the teacher's fine-tuning; 0 of 1 where nobody can count it."""
        check_stop()
        with self._lock:
            now = time.perf_counter()
            if stage not in self._own:
                if done >= total == 1:
                    return
                bar = self._bars.add_task(safe(stage_words(stage)), total=total if total > 1 else None)
                self._own[stage] = _Open(bar, now, 0.0, done, total)
                if total > 1:
                    self._tell(stage, now)
            one = self._own[stage]
            one.done, one.total = done, total
            if total > 1:
                self._bars.update(one.bar, completed=done, total=total)
            if 0 < done < total and now - one.told >= self._every:
                self._tell(stage, now)
            if done >= total:
                self._end(stage, now)

    def _tell(self, stage: str, now: float) -> None:
        one = self._own[stage]
        first, one.told = not one.told, now
        counted = f"{one.done} of {one.total} in" if one.total > 1 else "for"
        words = stage_words(stage)
        self._line(f"{words} ..." if first else f"{words}: {counted} {now - one.began:.0f} s")

    def _end(self, stage: str, now: float) -> None:
        one = self._own.pop(stage)
        self._bars.remove_task(one.bar)
        if one.told:
            self._line(f"{stage_words(stage)}: done in {now - one.began:.0f} s")

    def _look(self, beat: float) -> None:
        """In a log: tells stages that tell nothing themselves, and now and then the whole."""
        while not self._over.wait(beat):
            self.look()

    def look(self) -> None:
        """One look at what lasts."""
        with self._lock:
            now = time.perf_counter()
            for stage, one in self._own.items():
                last = one.told or one.began + _AFTER_S - self._every
                if now - last >= self._every:
                    self._tell(stage, now)
            if self._whole is not None and self._now and now - self._said >= self._every:
                self._said = now
                self._line("; ".join((self._whole.line(), *self._now.values())))

    def detail(self, stage: str, text: str) -> bool:
        """A word beside the bar of a stage; False where there is no terminal to show it on."""
        if self._console.is_terminal and stage in self._own:
            self._bars.update(self._own[stage].bar, description=safe(f"{stage_words(stage)}, {text}"))
        return self._console.is_terminal

    def note(self, text: str) -> None:
        """A warning about data or teacher."""
        print_message("warning", "yellow", text)

    def overall(self, told: Overall) -> None:
        """The search has come so far."""
        self._whole = _Whole(told, time.perf_counter())

    def whole(self) -> str:
        """The line of the whole; "" before anything is known of it."""
        return "" if self._whole is None else self._whole.line()

    def batch(self, title: str, records: Sequence[Record]) -> None:
        """A generation is about to run; without records, those of a steady search."""
        self._line(f"{title}: {len(records)} to run" if records else title)

    def started(self, record: Record) -> None:
        """A worker took a candidate."""
        self._at_work[record.number] = self._bars.add_task(safe(f"  {_label(record)}: starting"), total=1)

    def stage(self, record: Record, stage: str, done: int, total: int) -> None:
        """A worker's progress."""
        words = f"{_label(record)}: {stage_words(stage)}"
        with self._lock:
            self._now[record.number] = f"{words} {done} of {total}" if total > 1 else words
        if (bar := self._at_work.get(record.number)) is not None:
            self._bars.update(bar, description=safe(f"  {words}"), completed=done, total=total)

    def finished(self, record: Record) -> None:
        """A candidate is recorded."""
        if (bar := self._at_work.pop(record.number, None)) is not None:
            self._bars.remove_task(bar)
        with self._lock:
            self._now.pop(record.number, None)
            print_line(f"  {_label(record)} {_verdict(record)}", self._console)

    def _line(self, text: str) -> None:
        if not self._console.is_terminal:
            print_line(text, self._console)


class _Bars(Progress):
    """Bars below the line of the whole. They vanish at the end: what is over stands in lines above them."""

    def __init__(self, display: SearchDisplay, console: Console) -> None:
        self._display = display
        super().__init__(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=16),
            _Count(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            refresh_per_second=4,
            transient=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        if line := self._display.whole():
            yield Text(safe(line), "bold", no_wrap=True, overflow="ellipsis")
        yield from super().get_renderables()


class _Count(MofNCompleteColumn):
    """`12/50`; nothing where nobody can count."""

    def render(self, task: Task) -> Text:
        return super().render(task) if (task.total or 0) > 1 else Text()


@contextmanager
def loading(what: str = "loading libraries") -> Iterator[None]:
    """A bar on a terminal while something loads; nothing elsewhere."""
    if not err.is_terminal:
        yield
        return
    with SearchDisplay(err) as display, step(display.progress, what):
        yield


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
    smaller = size_in_words(found.efficiency.compression)
    quality = metric_unit(found.quality.metric).text(found.quality.value)
    collapse = f", {found.quality.collapse}" if found.quality.collapse else ""
    return f"{_rung(record)}{found.quality.metric} {quality}{robust}, {smaller}, {seconds}{collapse}"


def _rung(record: Record) -> str:
    """`at rung 1: ` of a candidate that waits there, `stopped at rung 1: ` of one that is not promoted."""
    if record.measurements is None or not (rung := record.measurements.stopped_at):
        return ""
    return f"stopped at rung {rung}: " if record.status == "done" else f"at rung {rung}: "
