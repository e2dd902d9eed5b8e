"""Stopping a hopeless candidate early: looks at fixed numbers of rows, with the error rate stated.

At each look the exact one-sided upper bound of the share that survives (Clopper and Pearson 1934) is compared with
`below`, at `error_rate / looks` (Bonferroni). So a candidate whose true share is `below` or more is stopped with a
chance of at most `error_rate`, whatever the number of rows; `odds` gives the chance itself. Rows must come in random
order: among rows sorted by class or length, the first say nothing about the others. The score of a stopped candidate is
too low on average, so it must not be compared with others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom


@dataclass(frozen=True)
class Hopeless:
    """The rule to give up: accuracy under attack is surely under `below`, wrong with a chance of at most `error_rate`.

    Raises `ValueError` for values that make no test.
    """

    below: float
    error_rate: float = 0.05
    looks: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.below < 1:
            raise ValueError(f"below must be between 0 and 1, got {self.below}")
        if not 0 < self.error_rate < 1:
            raise ValueError(f"error_rate must be between 0 and 1, got {self.error_rate}")
        if self.looks < 1:
            raise ValueError(f"looks must be at least 1, got {self.looks}")


@dataclass(frozen=True)
class Odds:
    """The effect of a rule on candidates of one true share: the share that it stops, and the mean number of rows."""

    stopped: float
    rows: float  # attacked rows, over stopped and other candidates


def looks_at(rows: int, looks: int) -> tuple[int, ...]:
    """The numbers of attacked rows after which to look, evenly spread; none at the end, where nothing is saved.

    There are fewer than `looks` where rows are too few; that only makes the test stricter.
    """
    if rows < 1 or looks < 1:
        raise ValueError(f"cannot look {looks} times at {rows} rows")
    places = {rows * look // (looks + 1) for look in range(1, looks + 1)}
    return tuple(sorted(places - {0}))


def is_hopeless(survived: int, seen: int, hopeless: Hopeless) -> bool:
    """True where a look, after `seen` rows of which `survived` did, stops the candidate.

    The upper bound lies under `below` exactly where so few survivors have a chance of less than `error_rate / looks` at
    a true share of `below`.
    """
    if not 0 <= survived <= seen:
        raise ValueError(f"survived must be within 0..{seen}, got {survived}")
    return seen > 0 and float(binom.cdf(survived, seen, hopeless.below)) < hopeless.error_rate / hopeless.looks


def odds(share: float, rows: int, hopeless: Hopeless) -> Odds:
    """The exact chance that a candidate of a true `share` is stopped, and its mean number of attacked rows.

    The number of survivors is followed along all paths at once; stopped paths are removed at each look.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share must be within 0..1, got {share}")
    alive: npt.NDArray[np.float64] = np.ones(1)  # chance of each number of survivors among paths not stopped so far
    mean_rows, seen = 0.0, 0
    for look in looks_at(rows, hopeless.looks):
        step = binom.pmf(np.arange(look - seen + 1), look - seen, share)
        alive, seen = np.convolve(alive, step), look
        stops = np.array([is_hopeless(survived, seen, hopeless) for survived in range(seen + 1)])
        mean_rows += seen * float(alive[stops].sum())
        alive = np.where(stops, 0.0, alive)
    left = min(float(alive.sum()), 1.0)
    return Odds(stopped=1.0 - left, rows=mean_rows + left * rows)
