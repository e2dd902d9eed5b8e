"""A driver that tests start as a process of its own, to kill or interrupt it.

Called as: python drivers.py WAY FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from run.backends import chores

from rosearch.run.backends.backend import Job
from rosearch.run.backends.local import LocalBackend


def hold_workers(folder: Path, way: str) -> None:
    """Two workers that never finish; says `held` when both have begun."""
    held = set()

    def report(key: int, stage: str, done: int, total: int) -> None:
        held.add(key)
        if len(held) == 2:
            print("held", flush=True)

    jobs = [Job(key, chores.hold, (folder / f"{key}.lock", way)) for key in (1, 2)]
    try:
        with LocalBackend(2) as backend:
            list(backend.run(jobs, on_progress=report))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)


if __name__ == "__main__":
    hold_workers(Path(sys.argv[2]), sys.argv[1])
