"""`rosearch distil` that kills itself with SIGKILL, or gets a Ctrl-C, at the start of a chosen step.

Called as: python killed_distil.py SIGNAL STEP ARGUMENTS...
"""

from __future__ import annotations

import os
import signal
import sys

import torch
from transformers import PreTrainedModel

from rosearch.cli import main
from rosearch.training.kd import KnowledgeDistillation
from rosearch.training.method import Method
from rosearch.training.robust_kd import RobustKd


def strike(method: type[Method], number: int, step: int) -> None:
    before = method.before_step

    def struck(self: Method, student: PreTrainedModel, now: int) -> None:
        if now == step:
            os.kill(os.getpid(), number)
        before(self, student, now)

    method.before_step = struck  # type: ignore[method-assign]


if __name__ == "__main__":
    torch.set_num_threads(1)
    for method in (KnowledgeDistillation, RobustKd):
        strike(method, getattr(signal, sys.argv[1]), int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()
