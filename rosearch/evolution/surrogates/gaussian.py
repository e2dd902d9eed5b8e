"""Gaussian processes for a few dozen to some hundred rows, one for each output, with one Cholesky for all of them.

>>> processes = GaussianProcesses(rows, values)
>>> mean, deviation = processes.predict(others)  # (others, outputs) each

scikit-learn's climbs to the best length scale of each output. Here the likeliest of a small grid of length scales and
noises is taken. The kernel is Matern's with nu = 2.5 (Rasmussen and Williams 2006,
section 4.2); its variance has a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from rosearch.evolution.surrogates.architecture import Table

_LENGTHS = (0.5, 1.0, 2.0, 4.0)  # times the root of the number of features: the distance of two rows in the mean
_NOISES = (1e-3, 0.03, 0.1, 0.3)  # variances, as a share of the signal's
_LEAST = 1e-9  # what varies by less is constant

_Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class _Fit:
    likelihood: float
    length: float
    lower: _Array  # (rows, rows), of the kernel with its noise
    weights: _Array  # (rows,)
    variance: float


class GaussianProcesses:
    """Regressions of z-scored `values` (rows, outputs) on z-scored `rows` (rows, features), both finite."""

    def __init__(self, rows: Table, values: Table) -> None:
        self._varies = rows.std(axis=0) > _LEAST
        self._centre, self._scale = rows.mean(axis=0), np.where(self._varies, rows.std(axis=0), 1.0)
        self._mean, spread = values.mean(axis=0), values.std(axis=0)
        self._deviation = np.where(spread > _LEAST, spread, 1.0)
        self._rows = self._scored(rows)
        scored, distances = (values - self._mean) / self._deviation, _distances(self._rows, self._rows)
        fits = [_fits(distances, scored, length * self._unit, noise) for length, noise in product(_LENGTHS, _NOISES)]
        self._fits = [max(of_output, key=lambda fit: fit.likelihood) for of_output in zip(*fits, strict=True)]

    def predict(self, rows: Table) -> tuple[Table, Table]:
        """Mean and standard deviation of what each output truly is, without the noise: (rows, outputs) each."""
        distances = _distances(self._scored(rows), self._rows)
        told = [_predicted(fit, distances) for fit in self._fits]
        mean, deviation = (np.stack(part, axis=-1) for part in zip(*told, strict=True))
        return mean * self._deviation + self._mean, deviation * self._deviation

    @property
    def _unit(self) -> float:
        return float(max(self._rows.shape[1], 1) ** 0.5)

    def _scored(self, rows: Table) -> Table:
        scored: Table = ((rows - self._centre) / self._scale)[:, self._varies]
        return scored


def _fits(distances: _Array, values: _Array, length: float, noise: float) -> list[_Fit]:
    lower = cholesky(_kernel(distances, length) + noise * np.eye(len(values)), lower=True)
    weights, halves = cho_solve((lower, True), values), np.log(np.diag(lower)).sum()
    variances = np.maximum((values * weights).mean(axis=0), _LEAST)
    return [
        _Fit(float(-0.5 * len(values) * np.log(variance) - halves), length, lower, of_output, float(variance))
        for variance, of_output in zip(variances, weights.T, strict=True)
    ]


def _predicted(fit: _Fit, distances: _Array) -> tuple[_Array, _Array]:
    kernel = _kernel(distances, fit.length)
    known = (solve_triangular(fit.lower, kernel.T, lower=True) ** 2).sum(axis=0)
    return kernel @ fit.weights, np.sqrt(np.maximum(1.0 - known, _LEAST) * fit.variance)


def _kernel(distances: _Array, length: float) -> _Array:
    steps = distances * (5**0.5 / length)
    kernel: _Array = (1 + steps + steps**2 / 3) * np.exp(-steps)
    return kernel


def _distances(a: Table, b: Table) -> _Array:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    distances: _Array = np.sqrt(np.maximum(squares, 0.0))
    return distances
