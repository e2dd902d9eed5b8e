"""Paired tests of which of two models is more robust, on the same rows under the same frozen plan.

Two students are right and wrong on much the same rows. A difference taken row by row therefore has an interval of about
half the width that two separate intervals give. Survival is compared by McNemar's test, words to break by a paired
bootstrap. Each test by itself takes equal models for different in at most 5 % of samples; comparisons of many pairs
must adjust `p` (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, ndtri  # scipy.stats and scipy.optimize take 70 MiB more

from rosearch.evaluation.resampling import SAME, Shares, resampled_means, sign_flips
from rosearch.measurements import Estimate

ALPHA = 0.05
POWER = 0.8
RESAMPLES = 9_999

_Z = float(ndtri(1 - ALPHA / 2))
_EXACT = 1e-13  # of a root


@dataclass(frozen=True)
class PairedDifference:
    """The first model's lead over the second, on the same rows.

    The interval of `difference` holds 0 exactly where the rows cannot tell the models apart. `needed` is roughly the
    number of rows that could, with 80 % power, if the true difference is the one seen; None where none is seen.
    """

    difference: Estimate
    p: float  # two-sided, under the hypothesis that the models are equal
    needed: int | None

    @property
    def separated(self) -> bool:
        """True where the rows tell the models apart, at 5 %."""
        return not self.difference.low <= 0 <= self.difference.high

    def __str__(self) -> str:
        """The difference in points, e.g. `+1.0 points [-1.9, 3.9]`."""
        value, low, high = (
            _points(part) for part in (self.difference.value, self.difference.low, self.difference.high)
        )
        return f"{value:+.1f} points [{low:.1f}, {high:.1f}]"


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows: `survival` decides, `words_to_break` is the finer measure beside it."""

    first: str
    second: str
    n: int
    only_first: int  # rows that survive in the first model alone
    only_second: int
    survival: PairedDifference  # of the shares of rows that survive
    words_to_break: PairedDifference  # of the mean shares of words to change

    @property
    def separated(self) -> bool:
        """True where accuracy under attack tells the models apart: one test, named beforehand, wrong in 5 %."""
        return self.survival.separated

    @property
    def warning(self) -> str:
        """One line where the rows cannot separate the models, with the number of rows that would; else ""."""
        if self.separated:
            return ""
        line = f"the {self.n:,} rows cannot separate {self.first} from {self.second}: difference {self.survival}"
        if self.survival.needed is not None:
            line += f"; about {self.survival.needed:,} rows would ({POWER:.0%} power)".replace("%", " %")
        if self.words_to_break.separated:
            line += f"; words to break do separate them: {self.words_to_break}"
        return line


def compare(
    name_a: str,
    survived_a: npt.ArrayLike,
    shares_a: npt.ArrayLike,
    name_b: str,
    survived_b: npt.ArrayLike,
    shares_b: npt.ArrayLike,
    *,
    seed: int = 0,
) -> Comparison:
    """Compare two models row by row: `survived` (rows,) booleans, `shares` (rows,) of words to break, 0..1.

    The rows must be the same, in the same order, attacked under the same plan and seed. The result does not depend on
    that order; swapping the models changes its sign alone.
    Raises `ValueError` for lengths that differ, no rows, or values that are no booleans or shares.
    """
    columns = [_booleans(name_a, survived_a), _booleans(name_b, survived_b)]
    shares = [_within_0_and_1(name_a, shares_a), _within_0_and_1(name_b, shares_b)]
    lengths = [len(column) for column in (*columns, *shares)]
    if len(set(lengths)) > 1 or not lengths[0]:
        raise ValueError(f"{name_a} and {name_b} are compared on the same rows, at least one; got {lengths}")
    a, b = columns
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return Comparison(
        first=name_a,
        second=name_b,
        n=len(a),
        only_first=only_a,
        only_second=only_b,
        survival=survival_difference(only_a, only_b, len(a)),
        words_to_break=bootstrap_difference(shares[0] - shares[1], seed=seed),
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p of McNemar's (1947) test: discordant rows fall either way like a fair coin."""
    if min(only_a, only_b) < 0:
        raise ValueError(f"discordant rows must be counts, got {only_a} and {only_b}")
    discordant = only_a + only_b
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), discordant, 0.5))) if discordant else 1.0


def survival_difference(only_a: int, only_b: int, n: int) -> PairedDifference:
    """The difference of two shares on the same n rows, from the rows that survive in one model alone.

    The interval is Tango's (1998, Statistics in Medicine 17, equations 8-10): the differences that a score test
    does not reject. Unlike Wald's it stays within -1..1 and says something where no row is discordant. Where
    McNemar's exact test, which is stricter, does not separate the models, it is extended to 0.
    """
    if not 0 <= only_a + only_b <= n or n < 1:
        raise ValueError(f"{only_a} and {only_b} discordant rows of {n}")
    p, value = mcnemar(only_a, only_b), (only_a - only_b) / n
    low, high = -_tango_high(only_b, only_a, n), _tango_high(only_a, only_b, n)
    share = (only_a + only_b) / n
    needed = rows_needed(abs(value), share) if only_a != only_b else None
    return _reaching_0_where_not_separated(PairedDifference(Estimate(value, low, high, n), p, needed))


def bootstrap_difference(differences: npt.ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES) -> PairedDifference:
    """The mean of the differences (rows,) with its percentile bootstrap interval (Efron 1979), rows drawn whole.

    Most differences are 0, and with ten others the 95 % interval misses the truth in 9 % of samples (BCa's in
    14 %). So p is that of random flips of signs (Fisher 1935), which is exact for models that can change
    places; where it is 5 % or more, the interval is extended to 0.
    Raises `ValueError` for no differences, or some that are not finite.
    """
    data = np.sort(np.asarray(differences, dtype=np.float64).ravel())
    if not len(data) or not np.isfinite(data).all():
        raise ValueError("a bootstrap needs differences, all of them finite")
    n, mirrored = len(data), np.sort(-data)
    # The data or its mirror image is drawn from, so that the order of neither rows nor models changes the result.
    sign = 1.0 if data.tolist() >= mirrored.tolist() else -1.0
    data = data if sign > 0 else mirrored
    mean = float(data.mean())
    means, rng = resampled_means(data, seed, resamples)
    ends = [min(float(np.quantile(means, ALPHA / 2)), mean), max(float(np.quantile(means, 1 - ALPHA / 2)), mean)]
    low, high = sorted(sign * end + 0.0 for end in ends)
    p = sign_flips(data[data != 0], rng, resamples)
    needed = None
    if n > 1 and abs(mean) > SAME:
        quantiles = _Z + float(ndtri(POWER))
        needed = math.ceil((quantiles * float(data.std(ddof=1)) / mean) ** 2)
    return _reaching_0_where_not_separated(PairedDifference(Estimate(sign * mean + 0.0, low, high, n), p, needed))


def rows_needed(difference: float, discordant: float, power: float = POWER) -> int:
    """Rows for McNemar's test to see a true `difference` of two shares, `discordant` being the share of rows
    that survive in one model alone (Connor 1987, Biometrics 43; two-sided, 5 %).

    Raises `ValueError` unless 0 < difference <= discordant <= 1 and 0 < power < 1.
    """
    if not (0 < difference <= discordant <= 1 and 0 < power < 1):
        raise ValueError(f"no sample size for a difference of {difference}, {discordant} discordant, power {power}")
    spread = _Z * math.sqrt(discordant) + float(ndtri(power)) * math.sqrt(discordant - difference**2)
    return math.ceil((spread / difference) ** 2)


def smallest_separable(n: int, discordant: float, power: float = POWER) -> float | None:
    """The smallest true difference of two shares that n rows separate with this power, the inverse of
    `rows_needed`; None where even a difference as large as `discordant` needs more rows.
    """
    if n < 1:
        raise ValueError(f"rows must be at least 1, got {n}")
    if rows_needed(discordant, discordant, power) > n:
        return None
    quantile = float(ndtri(power))

    def missing(difference: float) -> float:
        spread = _Z * math.sqrt(discordant) + quantile * math.sqrt(max(discordant - difference**2, 0.0))
        return spread - difference * math.sqrt(n)

    return discordant if missing(discordant) >= 0 else _root(lambda difference: -missing(difference), 0.0, discordant)


def holm(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Holm's (1979) step-down adjustment, valid for p-values that depend on each other. NaN is no test."""
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, math.nan)
    tests = np.flatnonzero(~np.isnan(values))
    order = tests[np.argsort(values[tests], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


def _tango_high(only_a: int, only_b: int, n: int) -> float:
    """The upper end: the largest difference that the score test does not reject."""

    def surplus(difference: float) -> float:
        """Positive where the test rejects `difference` as too large."""
        linear = -only_a - only_b + (2 * n - only_a + only_b) * difference
        constant = -only_b * difference * (1 - difference)
        nuisance = (math.sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
        variance = max(n * (2 * nuisance + difference * (1 - difference)), 0.0)
        return n * difference - (only_a - only_b) - _Z * math.sqrt(variance)

    start = (only_a - only_b) / n + 1e-9  # without discordant rows, the difference itself is a root too
    return 1.0 if surplus(1.0) <= 0 else _root(surplus, start, 1.0)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """The place between `low` and `high` at which a function passes from below 0 to above, by bisection."""
    while high - low > _EXACT:
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _reaching_0_where_not_separated(found: PairedDifference) -> PairedDifference:
    if found.p < ALPHA:
        return found
    seen = found.difference
    # The sample sizes are approximate: for very few rows they may claim that these had been enough.
    needed = None if found.needed is None else max(found.needed, seen.n + 1)
    return PairedDifference(Estimate(seen.value, min(seen.low, 0.0), max(seen.high, 0.0), seen.n), found.p, needed)


def _points(share: float) -> float:
    return round(100 * share, 1) + 0.0  # no "-0.0"


def _booleans(name: str, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    column = np.asarray(values).ravel()
    if not np.isin(column, (0, 1)).all():
        raise ValueError(f"{name}: whether rows survived must be booleans")
    return column.astype(np.bool_)


def _within_0_and_1(name: str, values: npt.ArrayLike) -> Shares:
    column = np.asarray(values, dtype=np.float64).ravel()
    if not ((column >= 0) & (column <= 1)).all():
        raise ValueError(f"{name}: shares of words to break must be within 0..1")
    return column
