"""The backends that candidates run on, chosen by the `execution` section of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rosearch.run.backends.backend import Backend
from rosearch.run.backends.inline import InlineBackend
from rosearch.run.backends.local import LocalBackend

if TYPE_CHECKING:
    from rosearch.config.execution import ExecutionConfig  # every worker imports this package, and needs no pydantic

BACKENDS: dict[str, Callable[[ExecutionConfig, Sequence[str]], Backend]] = {
    "inline": lambda execution, visible: InlineBackend(),
    "local": lambda execution, visible: LocalBackend(
        execution.workers, execution.threads, execution.timeout_minutes * 60, visible=visible
    ),
}


def make_backend(execution: ExecutionConfig, visible: Sequence[str] = ()) -> Backend:
    """The driver's own process for 0 workers, else spawned processes. Close it, or use it in a `with`.

    `visible` is the GPU that each worker sees alone (`run.devices`); none: all see what the driver sees.
    """
    return BACKENDS["local" if execution.workers else "inline"](execution, visible)
