"""Jobs in the driver's own process, one after another: for debugging, notebooks and fast tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from rosearch.run.backends.backend import A, Backend, Calls, Job, Lost, Result, V, call, pickled, unpickled


@final
class InlineBackend(Backend):
    """The twin of `LocalBackend` without processes: no time-outs, and a crash takes the driver along."""

    def _run(self, jobs: Sequence[Job[A, V]], calls: Calls) -> Iterator[Result[V]]:
        """One job after another, in the order given."""
        for job in jobs:
            if not calls.more():
                return
            yield _run_one(job, calls)

    def close(self) -> None:
        """Nothing is held."""


def _run_one(job: Job[A, V], calls: Calls) -> Result[V]:
    sent = pickled(job)  # a job that fails in a worker fails here too
    if isinstance(sent, Lost):
        return Result(job.key, lost=sent)
    stage = ""
    fault: Exception | None = None

    def progress(name: str, done: int, total: int) -> None:
        nonlocal stage, fault
        stage = name
        try:
            calls.on_progress(job.key, name, done, total)
        except Exception as error:
            fault = error
            raise

    calls.on_start(job.key)
    value, lost = call(job.function, sent[1], progress)
    if fault is not None:  # the driver's own, which the job must not swallow
        raise fault
    return unpickled(job.key, value, lost, stage)
