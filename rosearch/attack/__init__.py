"""Any classifier under attack: `attack` from Python, and what `rosearch attack` measures and reports."""

from rosearch.attack.measure import attack

__all__ = ["attack"]
