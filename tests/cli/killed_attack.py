"""A program that attacks and is killed with SIGKILL after some rows; `test_attack.py` starts it.

Usage: `python killed_attack.py ROWS ARGUMENT...`, with the arguments of `rosearch attack`.
"""

from __future__ import annotations

import os
import signal
import sys

from rosearch.cli import main
from rosearch.evaluation.attacks.memory import AttackMemory
from rosearch.evaluation.attacks.result import AttackedRow


def kill_after(rows: int) -> None:
    keep = AttackMemory.keep
    kept = 0

    def keep_and_die(self: AttackMemory, key: str, place: int, row: AttackedRow) -> None:
        nonlocal kept
        keep(self, key, place, row)
        kept += 1
        if kept == rows:
            os.kill(os.getpid(), signal.SIGKILL)

    AttackMemory.keep = keep_and_die  # type: ignore[method-assign]  # this process is there to die


if __name__ == "__main__":
    kill_after(int(sys.argv[1]))
    sys.argv = ["rosearch", "attack", *sys.argv[2:]]
    main()
