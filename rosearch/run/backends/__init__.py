"""The backends that candidates run on, chosen by the `execution` section of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rosearch.run.backends.backend import Backend, Room
from rosearch.run.backends.inline import InlineBackend
from rosearch.run.backends.local import LocalBackend
from rosearch.run.backends.ray_backend import RayBackend

if TYPE_CHECKING:
    from rosearch.config.execution import ExecutionConfig  # every worker imports this package, and needs no pydantic


@dataclass(frozen=True)
class Given:
    """All that a backend may need beside the section: the GPU that each worker sees alone (`run.devices`; none: all
    see what the driver sees), and files that every node of a cluster must see as the driver does.
    """

    visible: Sequence[str] = ()
    shared: Sequence[Path] = ()
    room: Room | None = None


def _inline(execution: ExecutionConfig, given: Given) -> Backend:
    return InlineBackend()


def _local(execution: ExecutionConfig, given: Given) -> Backend:
    timeout_s = execution.timeout_minutes * 60
    return LocalBackend(execution.workers, execution.threads, timeout_s, visible=given.visible, room=given.room)


def _ray(execution: ExecutionConfig, given: Given) -> Backend:
    """On GPUs where the section names them."""
    gpus = 1 / execution.each if execution.device.startswith("cuda") else 0.0
    timeout_s = execution.timeout_minutes * 60
    return RayBackend(execution.address, execution.threads, timeout_s, gpus, given.shared)


BACKENDS: dict[str, Callable[[ExecutionConfig, Given], Backend]] = {"inline": _inline, "local": _local, "ray": _ray}


def make_backend(execution: ExecutionConfig, given: Given = Given()) -> Backend:
    """The backend of the section; with 0 workers the driver's own process. Close it, or use it in a `with`."""
    return BACKENDS[execution.backend if execution.workers else "inline"](execution, given)
