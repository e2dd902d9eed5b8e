"""The environment that a worker's process begins in: what numeric libraries, CUDA and Python read once, at their start.

>>> with started_in(worker_variables(threads=1, visible="1")):
...     process.start()  # sees the second GPU alone, as cuda:0
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

from rosearch.files import importable
from rosearch.progress import ENDING

VISIBLE = "CUDA_VISIBLE_DEVICES"


def worker_variables(threads: int, visible: str | None = None) -> dict[str, str]:
    """The variables of one worker. `visible` are the GPUs that CUDA shows it; None: those that the driver sees."""
    ours = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
    }
    return ours if visible is None else {**ours, VISIBLE: visible}


def visible_gpus(devices: Sequence[str], outer: str | None) -> list[str]:
    """The value of `CUDA_VISIBLE_DEVICES` that shows each of `devices` (cuda:N) alone.

    `outer` is that of the driver: where it sees some GPUs only, under numbers or names (GPU-..., MIG-...), cuda:N is
    the one that stands N-th there.
    """
    numbers = [int(name.partition(":")[2] or 0) for name in devices]
    if outer is None:
        return [str(number) for number in numbers]
    shown = [name.strip() for name in outer.split(",")]
    return [shown[number] for number in numbers]


def processor_seconds(pid: int | None) -> float:
    """The processor time of a process so far; 0 where the system does not tell."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


@contextmanager
def started_in(variables: Mapping[str, str]) -> Iterator[None]:
    """Inside, a process that is started has these variables, and imports nothing from the folder of the user.

    Not even before it is given the path of its driver.
    """
    path = sys.path[:]
    ours = {**variables, "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(importable())}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    sys.path[:] = importable()
    try:
        yield
    finally:
        sys.path[:] = path
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Holds signals that end back until the block is over: no worker is half-started, and the new one blocks them."""
    resource_tracker.ensure_running()  # spawning would start the tracker, and its start lets interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
