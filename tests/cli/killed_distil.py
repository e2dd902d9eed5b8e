"""`rosearch distil` that kills itself with SIGKILL, or gets a Ctrl-C, at the start of a chosen step.

Called as: python killed_distil.py SIGNAL STEP ARGUMENTS...
"""

from __future__ import annotations

import os
import signal
import sys

import torch

from rosearch.cli import main
from rosearch.training.kd import KnowledgeDistillation


def strike(number: int, step: int) -> None:
    def struck(self: object, student: object, now: int) -> None:
        if now == step:
            os.kill(os.getpid(), number)

    KnowledgeDistillation.before_step = struck  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    torch.set_num_threads(1)
    strike(getattr(signal, sys.argv[1]), int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()
