"""Scores on held-out sets that a user brings: AdvGLUE, contrast sets, CheckList suites, languages.

`heldout_files` reads the sets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from rosearch.evaluation.intervals import wilson
from rosearch.measurements import Estimate


@dataclass(frozen=True)
class HeldOut:
    """A set as it was read; every tuple has one entry a row.

    A label is None where only invariance is expected. An entry of `groups` or `pairs` is "" for a row that is in none.
    """

    name: str
    task: str  # its name in AdvGLUE; "" otherwise
    texts: tuple[tuple[str, ...], ...]  # one or two
    labels: tuple[int | None, ...]
    groups: tuple[str, ...]
    pairs: tuple[str, ...]
    columns: tuple[str, ...] = ()  # those of the texts and of the label that were read
    numbered: bool = False  # labels are integers, taken in the order of the classifier's classes
    dropped: int = 0  # rows without a text or a label that were left out

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Score:
    """Shares with Wilson intervals; None where no row is of the kind."""

    n: int
    accuracy: Estimate | None  # on labelled rows
    consistency: Estimate | None  # share of pairs of labelled rows (two or more) whose rows are all right
    invariance: Estimate | None  # share of pairs of rows without labels that get one prediction


@dataclass(frozen=True)
class HeldOutScore:
    """Scores of a model's predictions on a held-out set."""

    name: str
    task: str
    overall: Score
    groups: dict[str, Score]  # in the order of the file; empty where there are no groups
    worst_group: str = ""  # the group of the lowest accuracy, or invariance where no group has labels
    columns: tuple[str, ...] = ()  # as those of the set
    cut: int = 0  # rows of which the model reads a part: their texts are longer than it, or the task, allows
    numbered: bool = False  # as that of the set
    dropped: int = 0  # as that of the set

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), allow_nan=False)


def score(held_out: HeldOut, predictions: npt.ArrayLike, cut: int = 0) -> HeldOutScore:
    """Score predicted classes (rows,), one integer a row; `cut` of the rows were cut.

    Raises `ValueError` for anything else.
    """
    predicted = np.asarray(predictions)
    if predicted.shape != (len(held_out),) or not np.issubdtype(predicted.dtype, np.integer):
        raise ValueError(f"expected {len(held_out)} predicted classes, got {predicted.dtype} {predicted.shape}")
    classes = predicted.tolist()
    members = members_of(held_out.groups, range(len(held_out)))
    groups = {group: _score(held_out, classes, rows) for group, rows in members.items()}
    values = {group: found.accuracy.value for group, found in groups.items() if found.accuracy}
    values = values or {group: found.invariance.value for group, found in groups.items() if found.invariance}
    return HeldOutScore(
        name=held_out.name,
        task=held_out.task,
        overall=_score(held_out, classes, range(len(held_out))),
        groups=groups,
        worst_group=min(values, key=lambda group: values[group], default=""),
        columns=held_out.columns,
        cut=cut,
        numbered=held_out.numbered,
        dropped=held_out.dropped,
    )


def _score(held_out: HeldOut, predicted: Sequence[int], rows: Sequence[int]) -> Score:
    labels = held_out.labels
    pairs = [members for members in members_of(held_out.pairs, rows).values() if len(members) > 1]
    labelled = [pair for pair in pairs if labels[pair[0]] is not None]
    free = [pair for pair in pairs if labels[pair[0]] is None]
    return Score(
        n=len(rows),
        accuracy=_share([predicted[row] == labels[row] for row in rows if labels[row] is not None]),
        consistency=_share([all(predicted[row] == labels[row] for row in pair) for pair in labelled]),
        invariance=_share([len({predicted[row] for row in pair}) == 1 for pair in free]),
    )


def _share(holds: Sequence[bool]) -> Estimate | None:
    return wilson(sum(holds), len(holds)) if holds else None


def members_of(names: Sequence[str], rows: Iterable[int]) -> dict[str, list[int]]:
    """The rows of each name, in their order; rows named "" are left out."""
    members: dict[str, list[int]] = {}
    for row in rows:
        if names[row]:
            members.setdefault(names[row], []).append(row)
    return members
