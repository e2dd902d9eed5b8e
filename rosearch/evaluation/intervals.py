"""95 % intervals: Wilson's for shares, Student's t for means.

::

    wilson(45, 50)  # Estimate(value=0.9, low=0.786..., high=0.956..., n=50)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri, stdtrit  # scipy.stats takes 45 MiB more, and whoever writes a report loads this

from rosearch.measurements import Estimate

_Z = float(ndtri(0.975))


def wilson(successes: int, n: int) -> Estimate:
    """A share of `n` with its score interval (Wilson 1927, equation 1), which stays within 0..1.

    Without rows nothing is known: 0 with the interval 0..1. Raises `ValueError` unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must be within 0..{n}, got {successes}")
    if n == 0:
        return Estimate(0.0, 0.0, 1.0, 0)
    share, scale = successes / n, 2 * (n + _Z**2)
    centre = (2 * n * share + _Z**2) / scale
    reach = _Z / scale * math.sqrt(4 * n * share * (1 - share) + _Z**2)
    low, high = centre - reach if successes else 0.0, centre + reach if successes < n else 1.0
    return Estimate(share, low, high, n)


def mean_interval(values: Sequence[float], limits: tuple[float, float] = (-math.inf, math.inf)) -> Estimate:
    """A mean with its t interval (n - 1 degrees of freedom), cut to the `limits` of the values.

    One value tells nothing of the spread: its interval is the value itself, and `n` says why. Without values all are 0.
    Raises `ValueError` for values that are not finite.
    """
    data = np.asarray(values, dtype=np.float64)
    if not np.isfinite(data).all():
        raise ValueError("a mean of values that are not finite")
    n = len(data)
    if n == 0:
        return Estimate(0.0, 0.0, 0.0, 0)
    mean = float(data.mean())
    if n == 1:
        return Estimate(mean, mean, mean, 1)
    half = float(stdtrit(n - 1, 0.975)) * float(data.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, min(max(mean - half, limits[0]), mean), max(min(mean + half, limits[1]), mean), n)
