"""Classes that may stand in another order than the labels of the rows: told by the rows that a model gets right.

>>> class_order([1, 1, 0, 0] * 10, [0, 0, 1, 1] * 10, 2).wrong
True

A model whose classes have no names is taken to have those of the task, in their order. Where this is not so, it is
right on fewer rows than by chance, and all that learns from it learns the opposite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from rosearch.evaluation.intervals import wilson
from rosearch.measurements import Estimate


@dataclass(frozen=True)
class ClassOrder:
    """A model's accuracy beside chance, and the order of its outputs in which it would be right on the most rows."""

    accuracy: Estimate
    chance: float  # the share that is right where predictions of these frequencies say nothing of the labels
    best: tuple[int, ...]  # for each class, the output that stands for it
    at_best: Estimate  # the accuracy in that order

    @property
    def wrong(self) -> bool:
        """True where the accuracy is surely below chance."""
        return self.accuracy.high < self.chance

    @property
    def doubt(self) -> str:
        """In words: surely below chance, not surely above it, or surely better in another order; "" otherwise."""
        right = f"right on {_percent(self.accuracy)} of {self.accuracy.n:,} rows, where chance is {self.chance:.1%}"
        right = right.replace("%", " %")
        if self.wrong:
            return f"{right}: its classes stand in another order"
        if self.at_best.low > self.accuracy.high:
            return f"{right}, and with its classes in another order on {self.at_best.value * 100:.1f} %"
        return f"{right}: not surely better than chance" if self.accuracy.low <= self.chance else ""

    def advice(self, labels: Sequence[str]) -> str:
        """The names that would make it right on the most rows; `labels` are the classes of the rows."""
        names = [labels[self.best.index(output)] for output in range(len(labels))]
        order = f"{', '.join(names)} fit best (right on {self.at_best.value * 100:.1f} %)"
        return f"Name its classes in id2label and label2id of its config.json, in the order of its outputs: {order}"


def class_order(predictions: npt.ArrayLike, labels: npt.ArrayLike, classes: int) -> ClassOrder:
    """From predicted and true classes (rows,), both below `classes`. Without rows nothing is known, or doubted."""
    predicted, truth = np.asarray(predictions, np.int64), np.asarray(labels, np.int64)
    table = np.zeros((classes, classes), np.int64)  # true class, predicted class
    np.add.at(table, (truth, predicted), 1)
    rows = len(truth)
    chance = float((table.sum(axis=0) / max(rows, 1)) @ (table.sum(axis=1) / max(rows, 1)))
    _, best = linear_sum_assignment(table, maximize=True)
    right, at_best = int(np.trace(table)), int(table[np.arange(classes), best].sum())
    return ClassOrder(wilson(right, rows), chance, tuple(map(int, best)), wilson(at_best, rows))


def _percent(share: Estimate) -> str:
    return f"{share.value:.1%} ({share.low * 100:.1f} to {share.high * 100:.1f})"
