"""A driver on a Ray instance of its own, which tests start as a process, to kill, interrupt or listen to.

Called as: python ray_driver.py WAY FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from run.backends import chores

from rosearch.run.backends.backend import Job
from rosearch.run.backends.ray_backend import RayBackend


def main(way: str, folder: Path) -> None:
    """`hold`: a job that never ends, said once it has begun; `crash`: jobs of which one crashes, counted."""
    with RayBackend() as backend:
        if way == "crash":
            jobs = [Job(1, chores.crash, 3), Job(2, chores.square, 2)]
            print(sorted((result.key, result.lost is None) for result in backend.run(jobs)), flush=True)
        else:
            hold = [Job(1, chores.hold, (folder / "1.lock", "sleep"))]
            list(backend.run(hold, on_progress=lambda *step: print("held", flush=True)))


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
