"""What became of an attacked row, and the limits that it was attacked under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["misclassified", "broken", "survived", "error", "out_of_queries", "out_of_time"]


@dataclass(frozen=True)
class Limits:
    """What one row may cost; None is no limit.

    `queries` is TextAttack's query budget: its results depend on nothing else. `seconds` is wall time, for
    models that hang: what it stops depends on the machine.
    """

    queries: int | None = None
    seconds: float | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True)
class AttackedRow:
    """What became of one row.

    A row that was misclassified before is not attacked: 1 query, nothing changed. `queries` are counted as
    TextAttack does, with repeated texts, and `distinct` without them; `words` are all of the row's, over both
    texts of a pair, and `changed` those that differ afterwards. `error` and `out_of_time` count as broken,
    `out_of_queries` as survived: that is what a budget means.
    """

    outcome: Outcome
    texts: tuple[str, ...]
    queries: int
    distinct: int
    words: int
    changed: int
    score: float  # 1 - p(label) of `texts`
    swaps: tuple[tuple[int, str], ...] = ()  # in their order: the word's index at that moment, what stands there now
    similarity: float | None = None  # of what broke it, where the recipe has a sentence encoder
    complaint: str = ""  # what the attack raised, for an `error`
