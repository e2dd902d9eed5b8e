"""The progress of long work, and the clock of its stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Progress = Callable[[str, int, int], None]  # stage, steps done, steps in all; the caller decides who draws it


def silent(stage: str, done: int, total: int) -> None:
    """Draws nothing."""


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
