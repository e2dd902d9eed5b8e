"""The outcome of an attacked row, the limits of its attack, and the comparison of outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["misclassified", "broken", "survived", "error", "out_of_queries", "out_of_time"]


@dataclass(frozen=True)
class Limits:
    """The most that one row may cost; None is no limit.

    `queries` is TextAttack's query budget, whose results are the same everywhere. `seconds` is wall time, for models
    that hang; its results depend on the machine.
    """

    queries: int | None = None
    seconds: float | None = None


NO_LIMITS = Limits()
SURVIVING = ("survived", "out_of_queries")


@dataclass(frozen=True)
class AttackedRow:
    """The outcome of one row.

    A row that was misclassified before is not attacked: 1 query, nothing changed. `queries` counts as TextAttack does,
    with repeated texts; `distinct` counts without them. `words` is the number of the row's words, over both texts of a
    pair, and `changed` the number of those that differ afterwards. `error` and `out_of_time` count as broken,
    `out_of_queries` as survived: that is the meaning of a budget.
    """

    outcome: Outcome
    texts: tuple[str, ...]
    queries: int
    distinct: int
    words: int
    changed: int
    score: float  # 1 - p(label) of `texts`
    swaps: tuple[tuple[int, str], ...] = ()  # in their order: the word's index at that moment, its new words
    similarity: float | None = None  # of a broken row to its original, where the recipe has a sentence encoder
    complaint: str = ""  # the exception of an `error`


OnRow = Callable[[int, AttackedRow], None]  # told the number of a row and its outcome as it ends


def ignored(number: int, row: AttackedRow) -> None:
    """Nobody is told."""


def worst_case(rows: Sequence[AttackedRow]) -> AttackedRow:
    """The outcome of one row under several attacks: the break that changed least, or survival of all."""
    return min(rows, key=lambda row: (row.outcome in SURVIVING, words_to_break(row)))


def words_to_break(row: AttackedRow) -> float:
    """The share of words that had to change: 0 for a row misclassified before, 1 for one that survived."""
    return 1.0 if row.outcome in SURVIVING else share_changed(row)


def share_changed(result: AttackedRow) -> float:
    """The share of words that differ afterwards; 0 for a text without words."""
    return result.changed / result.words if result.words else 0.0


def weaker_than(against: Sequence[str], name: str, details: Mapping[str, Sequence[AttackedRow]]) -> str:
    """The first of the plain attacks on the same rows that broke more of them than one that adapts; "" for none."""

    def left(results: Sequence[AttackedRow]) -> int:
        return sum(row.outcome in SURVIVING for row in results)

    return next((other for other in against if other in details and left(details[other]) < left(details[name])), "")
