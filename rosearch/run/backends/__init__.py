"""The backends that candidates run on, chosen by the `execution` section of an experiment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rosearch.run.backends.backend import Backend
from rosearch.run.backends.inline import InlineBackend
from rosearch.run.backends.local import LocalBackend

if TYPE_CHECKING:
    from rosearch.config.experiment import ExecutionConfig  # every worker imports this package, and needs no pydantic

BACKENDS: dict[str, Callable[[ExecutionConfig], Backend]] = {
    "inline": lambda execution: InlineBackend(),
    "local": lambda execution: LocalBackend(execution.workers, execution.threads, execution.timeout_minutes * 60),
}


def make_backend(execution: ExecutionConfig) -> Backend:
    """The driver's own process for 0 workers, else spawned processes. Close it, or use it in a `with`."""
    return BACKENDS["local" if execution.workers else "inline"](execution)
