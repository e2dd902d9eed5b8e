"""Milliseconds of a function, pass by pass: warmed up, then repeated a number of times or for some seconds.

>>> low, median, high = quartiles(pass_times(lambda: model(**inputs), warmup=3, repeats=20))
>>> low, median, high = quartiles(times_within(lambda: model(**inputs), seconds=1.0))
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

Clock = Callable[[], float]
FEWEST, MOST = 3, 500  # passes that `times_within` counts
_THREADS = ContextVar("threads", default=0)


def engine_threads() -> int:
    """The threads of a model that is opened now; 0: as many as its engine chooses."""
    return _THREADS.get()


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Models of ONNX Runtime and OpenVINO that are opened inside run on `count` threads. Torch has its own setting."""
    token = _THREADS.set(count)
    try:
        yield
    finally:
        _THREADS.reset(token)


def pass_times(run: Callable[[], Any], *, warmup: int, repeats: int, clock: Clock = time.perf_counter) -> list[float]:
    """Milliseconds of each of `repeats` passes, behind `warmup` that are not counted."""
    times = []
    for _ in range(warmup + repeats):
        start = clock()
        run()
        times.append((clock() - start) * 1e3)
    return times[warmup:]


def times_within(run: Callable[[], Any], seconds: float, clock: Clock = time.perf_counter) -> list[float]:
    """Milliseconds of as many passes as fit into `seconds`, 3 to 500, behind two that are not counted.

    The second of those says how many fit: the first builds kernels and fills caches.
    """
    (second,) = pass_times(run, warmup=1, repeats=1, clock=clock)
    fit = round(1e3 * seconds / max(second, 1e-3))
    return pass_times(run, warmup=0, repeats=min(MOST, max(FEWEST, fit)), clock=clock)


def quartiles(times: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile."""
    low, median, high = (float(value) for value in np.percentile(times, [25, 50, 75]))
    return low, median, high
