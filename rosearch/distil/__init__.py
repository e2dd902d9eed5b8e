"""One student without a search: `distil_student` from Python, and what `rosearch distil` finds, trains and records.

Importing this package loads nothing: what is wrong with an input is told before torch is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rosearch.distil.student import Distilled, Options, Watcher, distil_student

__all__ = ["Distilled", "Options", "Watcher", "distil_student"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rosearch.distil' has no attribute {name!r}; it has {', '.join(__all__)}")
    from rosearch.distil import student

    return getattr(student, name)
