"""Jobs in the driver's own process, one after another: for debugging, notebooks and fast tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

from rosearch.run.backends.backend import Backend, Calls, Result, call_here


@final
class InlineBackend(Backend):
    """The twin of `LocalBackend` without processes: no time-outs, and a crash takes the driver along."""

    def _run(self, calls: Calls) -> Iterator[Result[Any]]:
        """One job after another, in the order given."""
        while (job := calls.take()) is not None:
            yield call_here(job, calls)

    def close(self) -> None:
        """Nothing is held."""
