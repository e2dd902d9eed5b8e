"""How long work tells what it has done; who draws it (bars, plain lines, nothing) is decided by the caller."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # stage, steps done, steps in all


def silent(stage: str, done: int, total: int) -> None:
    """Draws nothing."""
