"""Detection of models that gave classes up: such a model is robust on the others for no good reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rosearch.evaluation.intervals import wilson


@dataclass(frozen=True)
class Collapse:
    """The classes that a model gave up."""

    constant: int | None  # the only class that is predicted, where the labels have several
    never: tuple[int, ...]  # classes that have rows and are never predicted
    lost: tuple[int, ...]  # classes whose recall is surely below half of chance
    warning: str  # one line, or ""


def collapse(predictions: npt.ArrayLike, labels: npt.ArrayLike, names: Sequence[str] = ()) -> Collapse:
    """Flag a constant predictor and classes that collapsed, from predicted and true classes (rows,).

    A class is lost where the 95 % interval of its recall stays below half of chance, 1 / (2 classes): a few rows are
    no evidence. A class that is never predicted is named whatever the number of its rows.
    Raises `ValueError` for lengths that differ, no rows, or values that are no classes.
    """
    predicted, truth = _classes(predictions), _classes(labels)
    if len(predicted) != len(truth) or not len(truth):
        raise ValueError(f"{len(predicted)} predictions for {len(truth)} labels")
    present = [int(label) for label in np.unique(truth)]
    if len(present) < 2:
        return Collapse(None, (), (), "")
    kinds = np.unique(predicted)
    never = tuple(label for label in present if label not in kinds)
    chance = 1 / max(len(present), len(names))
    recalls = {
        label: wilson(int((predicted[truth == label] == label).sum()), int((truth == label).sum()))
        for label in present
        if label not in never
    }
    lost = tuple(label for label, recall in recalls.items() if recall.high < chance / 2)
    constant = int(kinds[0]) if len(kinds) == 1 else None
    said = [names[label] if label < len(names) else f"class {label}" for label in range(max(*present, *kinds) + 1)]
    if constant is not None:
        return Collapse(constant, never, lost, f"predicts {said[constant]} for all {len(truth):,} rows")
    parts = [f"never predicts {', '.join(said[label] for label in never)}"] if never else []
    parts += [f"recalls {recalls[label].value:.1%} of {said[label]}".replace("%", " %") for label in lost]
    return Collapse(None, never, lost, "; ".join(parts))


def _classes(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    column = np.asarray(values).ravel()
    if len(column) and (not np.issubdtype(column.dtype, np.integer) or column.min() < 0):
        raise ValueError(f"classes must be integers from 0, got {column.dtype}")
    return column.astype(np.int64)
