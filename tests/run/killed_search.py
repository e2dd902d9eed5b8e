"""`rosearch resume` that kills itself with SIGKILL in a training that keeps checkpoints, after a chosen step.

Called as: python killed_search.py STEP RUN; until then a checkpoint is written after every step.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count

from rosearch.cli import main
from rosearch.training import fitting
from rosearch.training.checkpoint import Checkpoint, State, saved


def strike(step: int) -> None:
    steps = count()

    def struck(
        checkpoint: Checkpoint | None, state: Callable[[], State]
    ) -> AbstractContextManager[Callable[[bool], None]]:
        def last_words() -> State:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return state()

        return saved(None, state) if checkpoint is None else saved(replace(checkpoint, every=0.0), last_words)

    fitting.saved = struck  # type: ignore[assignment]


if __name__ == "__main__":
    strike(int(sys.argv[1]))
    sys.argv[1:] = ["resume", sys.argv[2]]
    main()
