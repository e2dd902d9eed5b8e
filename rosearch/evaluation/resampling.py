"""Rows drawn again and again: bootstrap means, flips of signs, and the counts of which both statistics here are made.

>>> means, rng = resampled_means(differences, seed=0, resamples=9_999)
>>> p = sign_flips(differences, rng, 9_999)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Shares = npt.NDArray[np.float64]
Counts = npt.NDArray[Any]

SAME = 1e-9  # the largest difference between sums of the same shares in another order
_BATCH = 4_000_000  # values drawn at a time: 32 MB
_MOST_KEPT = 1_000  # rows whose draws are kept: 20 MB
_PART = 100_000  # values counted at a time


def fill_counts(counts: Counts, rng: np.random.Generator) -> None:
    """Fill (draws, n) with the number of times that each of n is drawn, n drawn with replacement in each row."""
    draws, n = counts.shape
    step = max(1, _PART // n)
    for first in range(0, draws, step):
        part = counts[first : first + step]
        places = rng.integers(0, n, part.shape) + n * np.arange(len(part))[:, None]
        part[:] = np.bincount(places.ravel(), minlength=part.size).reshape(part.shape)


def resampled_means(data: Shares, seed: int, resamples: int) -> tuple[Shares, np.random.Generator]:
    """The means of the rows of each resample (resamples,), and the generator after these draws."""
    n, rng = len(data), np.random.default_rng(seed)
    if n > _MOST_KEPT:
        drawn = (rng.integers(0, n, (rows, n)) for rows in _batches(resamples, n))
        return np.concatenate([data[one].mean(axis=1) for one in drawn]), rng
    counts, rng.bit_generator.state = _drawn(seed, n, resamples)
    return _products(counts, data) / n, rng


def _products(counts: Counts, data: Shares) -> Shares:
    """Counts (draws, n) times data (n,): in parts, of which each stays in the processor's cache as floats."""
    step = max(1, _PART // len(data))
    parts = (counts[first : first + step] for first in range(0, len(counts), step))
    return np.concatenate([part.astype(np.float64) @ data for part in parts])


@lru_cache(maxsize=1)
def _drawn(seed: int, n: int, resamples: int) -> tuple[npt.NDArray[np.uint16], Mapping[str, Any]]:
    """The counts (resamples, n) of a seed, and the state of its generator after that.

    They are kept: the students of a run are compared on one set of rows, and so with the same draws.
    """
    rng, counts = np.random.default_rng(seed), np.empty((resamples, n), np.uint16)
    fill_counts(counts, rng)
    return counts, rng.bit_generator.state


def sign_flips(data: Shares, rng: np.random.Generator, resamples: int) -> float:
    """The two-sided p of a sum this far from 0, if each difference had either sign with the same chance."""
    if not len(data):
        return 1.0
    total = float(data.sum())
    as_far = 0
    for rows in _batches(resamples, len(data)):
        positive = _products(rng.integers(0, 2, (rows, len(data)), dtype=np.int8), data)
        as_far += int((np.abs(2 * positive - total) >= abs(total) - SAME).sum())
    return (1 + as_far) / (1 + resamples)  # the sample itself is one of the flips


def _batches(resamples: int, n: int) -> list[int]:
    size = max(_BATCH // n, 1)
    return [min(size, resamples - start) for start in range(0, resamples, size)]
