"""Ridge regression on standardised features, its penalty chosen by leaving out one row at a time, and folds of groups.

>>> Ridge.fit(x[known], y[known]).predict(x[held])

The same as scikit-learn's `RidgeCV` behind `SimpleImputer` and `StandardScaler`, and as its `GroupKFold`, which tests
hold it to. Those take 50 MiB and half a second to load, and a page of a run has to do with less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_PENALTIES = np.logspace(-2, 5, 15)
_CONSTANT = 1e-12  # a spread, as a share of the mean's size, that only rounding has left


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted regression on k features."""

    means: Floats  # (k,), which also stand in for what is missing
    spreads: Floats  # (k,)
    weights: Floats  # (k,), of the standardised features
    mean: float  # of the outcome
    penalty: float

    @classmethod
    def fit(cls, x: Floats, y: Floats) -> Self:
        """Fit features x (n, k), NaN where one is missing, to an outcome y (n,).

        The penalty has the smallest squared error on rows left out one by one, which follows from one decomposition
        (Golub, Heath and Wahba 1979).
        """
        there = ~np.isnan(x)
        means = np.where(there, x, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        z = np.where(there, x, means) - means
        spreads = np.sqrt((z**2).mean(axis=0))
        spreads[spreads <= _CONSTANT * np.abs(means)] = 1.0
        z, mean = z / spreads, float(y.mean())
        squares, turn = np.linalg.eigh(z.T @ z)
        turned = z @ turn
        shares = 1.0 / (np.maximum(squares, 0.0)[:, None] + _PENALTIES)  # (k, penalties)
        slopes = shares * (turned.T @ (y - mean))[:, None]
        leverage = 1 / len(y) + turned**2 @ shares
        errors = ((y - mean)[:, None] - turned @ slopes) / (1 - leverage)
        best = int(np.argmin((errors**2).mean(axis=0)))
        return cls(means, spreads, turn @ slopes[:, best], mean, float(_PENALTIES[best]))

    def predict(self, x: Floats) -> Floats:
        """The outcome (n,) of features (n, k)."""
        filled = np.where(np.isnan(x), self.means, x)
        return np.asarray((filled - self.means) / self.spreads @ self.weights + self.mean)


def folds_of(groups: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """A fold from 0 to `count` - 1 for each row, so that a group is in one fold: the largest first, each into the
    lightest fold so far. `groups` are numbers from 0 on (rows,).
    """
    sizes = np.bincount(groups)
    fold_of, weights = np.zeros(len(sizes), np.int64), [0] * count
    for group in np.argsort(sizes, kind="stable")[::-1]:
        lightest = weights.index(min(weights))
        weights[lightest] += int(sizes[group])
        fold_of[group] = lightest
    return fold_of[groups]
