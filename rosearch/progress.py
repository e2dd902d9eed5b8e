"""The progress of long work, the clock of its stages, and the signals that end it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows: no HUP

Progress = Callable[[str, int, int], None]  # stage, steps done, steps in all; the caller decides who draws it


def silent(stage: str, done: int, total: int) -> None:
    """Draws nothing."""


@contextmanager
def step(progress: Progress, stage: str) -> Iterator[None]:
    """Tells of work that nobody can count: 0 of 1 at its beginning, 1 of 1 at its end, whatever ends it."""
    progress(stage, 0, 1)
    try:
        yield
    finally:
        progress(stage, 1, 1)


@dataclass
class Stopwatch:
    """Seconds per stage, and the stage that work is in, or failed in."""

    seconds: dict[str, float] = field(default_factory=dict)
    current: str = "build"

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times one stage; an exception leaves `current` on it."""
        self.current, start = name, time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass
class _Heard:
    """The signals of this process; they are handled in its main thread alone."""

    number: int = 0  # the first that came; 0: none
    patient: int = 0  # blocks that let their step end first
    at_second: Callable[[int], None] | None = None


_heard = _Heard()


def check_stop() -> None:
    """Raises `KeyboardInterrupt` if a signal asked this process to end, and that was swallowed.

    Python prints and forgets what is raised in a `__del__` or in the callback of a weak reference, where a signal may
    fall as well as elsewhere. Every loop that lasts calls this.
    """
    if _heard.number and not _heard.patient:
        raise KeyboardInterrupt


@contextmanager
def stoppable(
    signals: Sequence[int] = (signal.SIGINT,), at_second: Callable[[int], None] | None = None
) -> Iterator[None]:
    """Inside, the first of `signals` raises `KeyboardInterrupt`, and is remembered for `check_stop` and `heard`.

    A second Ctrl-C raises it again, or calls `at_second`; other signals that come later change nothing. A signal that
    the process ignores, as SIGHUP under nohup, or handles in a way of its own stays as it is. Nothing changes outside
    the main thread, or in a block inside such a block.
    """
    usual = (signal.SIG_DFL, signal.default_int_handler)
    ours = [one for one in signals if _is_main_thread() and signal.getsignal(one) in usual]
    before = {one: signal.signal(one, _hear) for one in ours}
    if before:
        _heard.number, _heard.at_second = 0, at_second
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        if before:
            _heard.number, _heard.at_second = 0, None


@contextmanager
def patience() -> Iterator[None]:
    """Inside, the first signal is only remembered: the caller asks `heard` after each step, and ends."""
    with stoppable():
        mine = int(_is_main_thread())
        _heard.patient += mine
        try:
            yield
        finally:
            _heard.patient -= mine


def heard() -> int:
    """The number of the signal that asked this process to end; 0 if none did."""
    return _heard.number


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _hear(number: int, frame: FrameType | None) -> None:
    second = _heard.number != 0
    _heard.number = _heard.number or number
    if second and number != signal.SIGINT:
        return
    if second and _heard.at_second is not None:
        _heard.at_second(number)
    if second or not _heard.patient:
        raise KeyboardInterrupt
