"""Rows that attacks broke, for people to read: the texts before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rosearch.attack.measure import predict_classes
from rosearch.data.tasks import Labels
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.robustness import SuiteResult


@dataclass(frozen=True)
class BrokenExample:
    """A row that an attack broke: its texts before and after, its class and the class that is predicted now."""

    attack: str
    row: int  # the place among all rows of the source
    original: tuple[str, ...]
    perturbed: tuple[str, ...]
    label: str
    predicted: str
    changed: int  # words that were changed, of
    words: int
    queries: int


def broken_examples(
    victim: Victim,
    names: Sequence[str],
    texts: Sequence[tuple[str, ...]],
    labels: Labels,
    result: SuiteResult,
    most: int,
) -> tuple[BrokenExample, ...]:
    """Up to `most` broken rows of all attacks in turn; of each attack, those with the fewest changed words first."""
    chosen = [
        sorted(
            ((row, attack, done) for row, done in zip(result.rows, rows, strict=True) if done.outcome == "broken"),
            key=lambda one: one[2].changed,
        )
        for attack, rows in result.details.items()
    ]
    turns = [one for turn in zip_longest(*chosen) for one in turn if one is not None][:most]
    if not turns:
        return ()
    predicted = predict_classes(victim, [done.texts for _, _, done in turns])
    return tuple(
        BrokenExample(
            attack,
            row,
            texts[row],
            done.texts,
            names[labels[row]],
            names[now],
            done.changed,
            done.words,
            done.queries,
        )
        for (row, attack, done), now in zip(turns, predicted, strict=True)
    )
