"""Rank correlations among siblings: what goes with what once descent is held fixed.

Relatives resemble each other in everything, so a test that takes the candidates of an evolution as independent finds
what is not there. Siblings differ by their mutations alone. Where a feature has no part in an outcome, all orders of
the outcome within a family are equally probable: a permutation test in blocks (Strasser and Weber 1999, Mathematical
Methods of Statistics 8), as the sibling test of genetics is (Spielman and Ewens 1998). Candidates that were drawn at
random are one family, of which this is Spearman's test.

A family of n holds n - 1 independent comparisons: its contrasts, each a member less the mean of those before it, are
uncorrelated and of equal variance (Helmert). They are what the bootstrap draws from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri, stdtr, stdtrit

from rosearch.evaluation.comparison import ALPHA, POWER
from rosearch.evaluation.resampling import fill_counts

Floats = npt.NDArray[np.float64]

FIELLER = 1.06  # variance of atanh(rho) times (n - 3) (Fieller, Hartley and Pearson 1957)
MINIMUM = 4  # comparisons: of fewer, even a perfect order has p = 1/12
_T_FROM = 9  # comparisons from which Student's t is close to the permutation distribution
_PERMUTATIONS = 9999
_COLLINEAR = 1e-9
_CELLS = 20_000_000  # of all draws together
_DRAWS = (199, 999)


@dataclass(frozen=True, eq=False)
class Correlations:
    """Those of several features (k,) with one outcome; NaN where there is none."""

    rho: Floats  # over all rows, whoever they descend from
    sibling_rho: Floats
    low: Floats
    high: Floats
    p: Floats  # of `sibling_rho`, two-sided
    comparisons: npt.NDArray[np.int64]  # in families that differ in both
    collinear: npt.NDArray[np.bool_]  # ordered exactly as the controls
    outcome_collinear: bool


@dataclass(eq=False)
class Draws:
    """Bootstrap weights, kept for all statistics of as many comparisons: `draws(m)` is (draws, m)."""

    seed: int = 0
    _kept: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)

    def __call__(self, size: int) -> npt.NDArray[np.float32]:
        """The number of times that each comparison is drawn."""
        if size not in self._kept:
            rng = np.random.default_rng(self.seed)
            count = int(np.clip(_CELLS // max(size, 1), *_DRAWS))
            kept = self._kept[size] = np.empty((count, size), np.float32)
            fill_counts(kept, rng)
        return self._kept[size]


def correlate(x: Floats, y: Floats, controls: Floats, families: npt.NDArray[np.int64], draws: Draws) -> Correlations:
    """Features x (n, k) against an outcome y (n,), the ranks of controls (n, c) held fixed.

    The interval is z +- t se on the scale of atanh, se from a bootstrap of the comparisons; p is Student's t with the
    comparisons less 1 and the controls, below 9 comparisons by permutation within families.
    """
    order = np.argsort(families, kind="stable")
    families = np.unique(families[order], return_inverse=True)[1]
    ranked = [standard_ranks(part[order]) for part in (x, y[:, None], controls)]
    rx, ry, collinear = _left_over(ranked)
    wx, wy, alike = _left_over([_within(part, families) for part in ranked])
    taken = controls.shape[1]
    test = _Test.of(wx, wy[:, 0], families, taken)
    none = collinear[:-1] | alike[:-1] | collinear[-1] | alike[-1] | (test.comparisons < MINIMUM + taken)
    rho = _cosines(wx, wy)
    low, high = _interval(contrasts(wx, families), contrasts(wy, families), rho, taken, draws)
    p = test.p(~none)
    for values in (rho, low, high, p):
        values[none] = math.nan
    whole = np.where(collinear[:-1] | collinear[-1], math.nan, _cosines(rx, ry))
    return Correlations(whole, rho, low, high, p, test.comparisons, collinear[:-1], bool(collinear[-1]))


def detectable(comparisons: float, controlled: int = 0, alpha: float = ALPHA, power: float = POWER) -> float:
    """The |rho| that so many comparisons find with this power at a level alpha; NaN where they are too few."""
    freedom = comparisons - 2 - controlled
    if freedom <= 0:
        return math.nan
    quantiles = float(ndtri(1 - alpha / 2) + ndtri(power))
    return math.tanh(quantiles * math.sqrt(FIELLER / freedom))


def standard_ranks(values: Floats) -> Floats:
    """Ranks (n, k), ties averaged, of mean 0 and length 1 in each column, so that a correlation is a product."""
    if not values.size:
        return np.zeros(values.shape)
    ranks = pd.DataFrame(values).rank().to_numpy()
    centred = ranks - ranks.mean(axis=0)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-300))


def contrasts(values: Floats, families: npt.NDArray[np.int64]) -> Floats:
    """Helmert's contrasts (n - families, k) of rows (n, k) in the order of their families."""
    at = np.arange(len(families))
    begins = np.r_[True, families[1:] != families[:-1]]
    first = np.maximum.accumulate(np.where(begins, at, 0))
    before = np.cumsum(values, axis=0) - values
    before = before - before[first]
    later, count = ~begins, (at - first)[~begins, None]
    return np.asarray((values[later] - before[later] / count) * np.sqrt(count / (count + 1)))


@dataclass(frozen=True, eq=False)
class _Test:
    """The sum of products within families, and its permutation distribution."""

    x: Floats  # (n, k), of mean 0 in each family
    y: Floats  # (n,)
    families: npt.NDArray[np.int64]
    r: Floats  # (k,): the sum over its standard deviation, as a correlation
    comparisons: npt.NDArray[np.int64]
    informative: npt.NDArray[np.bool_]  # (families, k)
    taken: int

    @classmethod
    def of(cls, x: Floats, y: Floats, families: npt.NDArray[np.int64], taken: int) -> _Test:
        sizes = np.bincount(families)[:, None] - 1.0
        of_x = np.stack([np.bincount(families, one) for one in (x**2).T], axis=1)
        of_y = np.bincount(families, y**2)[:, None]
        informative = (of_x > _ZERO) & (of_y > _ZERO)
        comparisons = (sizes * informative).sum(axis=0)
        variance = (np.where(informative, of_x * of_y, 0.0) / np.maximum(sizes, 1.0)).sum(axis=0)
        r = (x.T @ y) / np.sqrt(np.maximum(variance * comparisons, 1e-300))
        return cls(x, y, families, np.clip(r, -1.0, 1.0), comparisons.astype(np.int64), informative, taken)

    def p(self, wanted: npt.NDArray[np.bool_]) -> Floats:
        """Two-sided, of the columns that are wanted."""
        freedom = np.maximum(self.comparisons - 1 - self.taken, 1)
        perfect = np.abs(self.r) > 1 - 1e-12
        t = np.abs(self.r) * np.sqrt(freedom / np.maximum((1 - self.r) * (1 + self.r), 1e-300))
        found = 2.0 * stdtr(freedom, -t)
        sizes = np.bincount(self.families)
        for column in np.flatnonzero(perfect):  # t is infinite: the share of orders as perfect
            orders = sum(math.lgamma(size + 1) for size in sizes[self.informative[:, column]])
            found[column] = min(1.0, math.exp(math.log(2.0) - orders))
        few = (self.comparisons < _T_FROM) & wanted
        if few.any():
            found[few] = self._permuted(few)
        return np.asarray(found, dtype=np.float64)

    def _permuted(self, columns: npt.NDArray[np.bool_]) -> Floats:
        rows = np.bincount(self.families)[self.families] > 1
        x, y, families = self.x[rows][:, columns], self.y[rows], self.families[rows]
        keys = np.random.default_rng(0).random((_PERMUTATIONS, len(y))) + families
        as_far = np.abs(y[np.argsort(keys, axis=1)] @ x) >= np.abs(y @ x) - 1e-12
        return np.asarray((1 + as_far.sum(axis=0)) / (1 + _PERMUTATIONS))


def _within(values: Floats, families: npt.NDArray[np.int64]) -> Floats:
    """Rows (n, k) less the mean of their family."""
    sizes = np.bincount(families)
    sums = np.add.reduceat(values, np.cumsum(sizes) - sizes, axis=0)
    return np.asarray(values - (sums / sizes[:, None])[families])


def _left_over(parts: list[Floats]) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """x (n, k) and y (n, 1) without what z (n, c) explains; true of each column of which nothing is left."""
    x, y, z = parts
    both = np.concatenate([x, y], axis=1)
    left = both - z @ np.linalg.lstsq(z, both, rcond=1e-10)[0] if z.shape[1] else both
    nothing = (left**2).sum(axis=0) < np.maximum(_COLLINEAR * (both**2).sum(axis=0), _ZERO)
    return left[:, :-1], left[:, -1:], nothing


def _cosines(x: Floats, y: Floats) -> Floats:
    lengths = np.linalg.norm(x, axis=0) * np.linalg.norm(y)
    return np.asarray(np.clip((x.T @ y[:, 0]) / np.maximum(lengths, 1e-300), -1.0, 1.0))


def _interval(x: Floats, y: Floats, rho: Floats, taken: int, draws: Draws) -> tuple[Floats, Floats]:
    size = len(x)
    freedom = size - 1 - taken
    if freedom < 1:
        return np.full(len(rho), math.nan), np.full(len(rho), math.nan)
    scaled = [part / np.maximum(np.linalg.norm(part, axis=0), 1e-300) for part in (x, y)]
    weights = draws(size)
    with np.errstate(invalid="ignore", divide="ignore"):  # what is not finite is dealt with below
        of_x, of_y, of_both = (
            weights @ part.astype(np.float32) for part in (scaled[0] ** 2, scaled[1] ** 2, scaled[0] * scaled[1])
        )
        drawn = np.arctanh(np.clip(of_both / np.sqrt(of_x * of_y), -_NEARLY_1, _NEARLY_1))
    drawn = np.where(np.isfinite(drawn), drawn, 0.0)  # a draw without a difference shows no relation
    reach = stdtrit(freedom, 1 - ALPHA / 2) * drawn.std(axis=0, ddof=1)
    middle = np.arctanh(np.clip(rho, -_NEARLY_1, _NEARLY_1))
    return np.tanh(middle - reach), np.tanh(middle + reach)


_ZERO = 1e-14  # squares of ranks that only rounding has left
_NEARLY_1 = 1 - 1e-6
