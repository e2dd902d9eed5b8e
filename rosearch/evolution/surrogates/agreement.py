"""How well predictions rank what was then observed: rank correlations, of each episode and each way of choosing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b and Spearman's rho over `n` pairs; None where fewer than three, or all alike, tell nothing."""

    n: int
    kendall: float | None
    spearman: float | None


def agreement(predicted: Sequence[float], observed: Sequence[float]) -> Agreement:
    """The rank correlations of predicted and observed rewards, paired by position; both finite."""
    from scipy.stats import kendalltau, spearmanr  # slow to load, and most runs that are read have no predictions

    n = len(predicted)
    if n < 3 or len(set(predicted)) == 1 or len(set(observed)) == 1:
        return Agreement(n, None, None)
    kendall, spearman = kendalltau(predicted, observed).statistic, spearmanr(predicted, observed).statistic
    return Agreement(n, _told(kendall), _told(spearman))


def _told(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
