"""Tasks in the driver's own process, one after another: for debugging, notebooks and fast tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from rosearch.run.backends.backend import (
    A,
    Backend,
    Lost,
    OnProgress,
    OnStart,
    Result,
    Task,
    V,
    call,
    ignore_progress,
    ignore_start,
    pack,
    unpack,
)


@final
class InlineBackend(Backend):
    """The twin of `LocalBackend` without processes: no time-outs, and a crash takes the driver along."""

    def run(
        self,
        tasks: Sequence[Task[A, V]],
        on_start: OnStart = ignore_start,
        on_progress: OnProgress = ignore_progress,
    ) -> Iterator[Result[V]]:
        """One task after another, in the order given."""
        for task in tasks:
            yield _run_one(task, on_start, on_progress)

    def close(self) -> None:
        """Nothing is held."""


def _run_one(task: Task[A, V], on_start: OnStart, on_progress: OnProgress) -> Result[V]:
    packed = pack(task)  # as if it had to travel: what fails in a worker fails here
    if isinstance(packed, Lost):
        return Result(task.key, lost=packed)
    stage = ""
    fault: Exception | None = None

    def progress(name: str, done: int, total: int) -> None:
        nonlocal stage, fault
        stage = name
        try:
            on_progress(task.key, name, done, total)
        except Exception as error:
            fault = error
            raise

    on_start(task.key)
    value, message = call(task.function, packed[1], progress)
    if fault is not None:  # the driver's own, which the task must not swallow
        raise fault
    return unpack(task.key, value, message, stage)
