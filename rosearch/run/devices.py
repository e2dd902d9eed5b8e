"""The devices of a run's workers: one for all, or several, of which each worker sees one.

>>> places = place_workers(experiment.execution)
>>> with make_backend(places.execution, Given(places.visible)) as backend:
...     ...
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from rosearch.config.execution import ExecutionConfig
from rosearch.models.device import resolve_device, resolve_devices
from rosearch.run.backends.environment import VISIBLE, visible_gpus
from rosearch.run.gpu_room import GpuRoom


@dataclass(frozen=True)
class Places:
    """Workers and their devices.

    `execution` is the section with its workers counted. `visible` is the GPU that each sees alone, as CUDA names it;
    none: all see what the driver sees. `device` is the name under which a worker finds its own.
    """

    execution: ExecutionConfig
    visible: tuple[str, ...]
    device: str
    room: GpuRoom | None = None  # says how many workers more there may be, once the first candidate is over


def place_workers(execution: ExecutionConfig) -> Places:
    """The workers of an experiment on this machine. Raises `MissingResource` for a GPU that is not there.

    Workers go from GPU to GPU, so that a few of them use all. `devices: auto` on a machine without a GPU is the CPU,
    with as many workers as its cores have room for.
    """
    if execution.backend == "ray":  # candidates go where the driver would: to GPUs, or to CPUs
        kind = resolve_device(execution.device).type
        return Places(execution.model_copy(update={"device": kind}), (), kind)
    if not execution.devices:
        return Places(execution, (), execution.device)
    found = resolve_devices(execution.devices)
    if found[0].type == "cpu":
        given = execution.workers_per_device
        workers = given if isinstance(given, int) else max(1, cores() // execution.threads)
        return Places(execution.model_copy(update={"workers": workers}), (), "cpu")
    gpus = tuple(visible_gpus([str(device) for device in found], os.environ.get(VISIBLE)))
    visible, room = gpus * execution.each, None
    if execution.workers_per_device == "auto":
        room = GpuRoom(found, gpus, max(1, cores() // execution.threads // len(gpus)))
    return Places(execution.model_copy(update={"workers": len(visible)}), visible, "cuda", room)


def crowded(places: Places) -> str:
    """In words, that the workers of a CPU ask for more cores than there are; "" where they do not."""
    workers, threads = places.execution.workers, places.execution.threads
    on_cluster = places.execution.backend == "ray"
    if on_cluster or workers * threads <= cores() or resolve_device(places.execution.own_device).type != "cpu":
        return ""
    each = "1 thread" if threads == 1 else f"{threads} threads"
    asked = f"{workers} workers of {each}" if workers > 1 else each
    return f"{asked} on {cores()} core{'s' if cores() > 1 else ''}, as the experiment asks: no faster than fewer"


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
