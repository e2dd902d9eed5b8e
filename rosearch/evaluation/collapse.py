"""Does a model still tell its classes apart? One that gave some up is robust on the others for no good reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rosearch.evaluation.intervals import wilson


@dataclass(frozen=True)
class Collapse:
    """Classes that a model gave up: it is then robust on the others for no good reason."""

    constant: int | None  # the one class that all rows get, where the labels have several
    never: tuple[int, ...]  # classes with rows that no row is predicted to be
    lost: tuple[int, ...]  # predicted, but recalled so rarely that even half of chance is out of reach
    warning: str  # one line, or ""


def collapse(predictions: npt.ArrayLike, labels: npt.ArrayLike, names: Sequence[str] = ()) -> Collapse:
    """Flags a constant predictor and classes that collapsed, of predicted and true classes (rows,).

    A class is lost where the 95 % interval of its recall stays below half of chance, 1 / (2 classes): too few
    rows of a class are no evidence. A class that is never predicted is named whatever its rows.
    Raises `ValueError` for lengths that differ, no rows, or what is no class.
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
