"""Any classifier under attack: `attack` from Python, and what `rosearch attack` measures and reports.

Importing this package loads nothing: what is wrong with an input is told before torch is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rosearch.attack.measure import attack

__all__ = ["attack"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rosearch.attack' has no attribute {name!r}; it has attack")
    from rosearch.attack.measure import attack

    return attack
