"""A module that a driver can import and a worker cannot, as CHORES_BREAK says: raise, crash or hang; or one that
imports it slowly (toil).
"""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

from rosearch.progress import Progress


def _break() -> None:
    way = os.environ["CHORES_BREAK"]
    once = os.environ.get("CHORES_BREAK_ONCE")
    if once is not None and Path(once).exists():
        return
    if once is not None:
        Path(once).touch()
    if way == "raise":
        raise ImportError("no library of that name")
    if way == "crash":
        os._exit(3)
    if way == "toil":
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            sum(range(10_000))
    if way == "hang":
        time.sleep(1000)


if multiprocessing.parent_process() is not None:
    _break()


def echo(value: int, progress: Progress) -> int:
    return value
