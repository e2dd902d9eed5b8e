"""Rank correlations of predicted and observed rewards, for each episode and each way of choosing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rosearch.evolution.front import Scored

CHOSEN, DRAWN = "chosen", "sample"  # origins of proposals; the predicted reward follows a colon


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b and Spearman's rho over `n` pairs; None where fewer than three, or all alike, tell nothing."""

    n: int
    kendall: float | None
    spearman: float | None


@dataclass(frozen=True)
class EpisodeAgreement:
    """How the predictions of an episode, made before any of it was distilled, rank the rewards that were observed.

    Candidates drawn at random tell how good the predictor is. Those that it chose are all predicted to be good, which
    leaves little to rank.
    """

    episode: int
    drawn: Agreement
    chosen: Agreement


def agreement(predicted: Sequence[float], observed: Sequence[float]) -> Agreement:
    """The rank correlations of predicted and observed rewards, paired by position; both finite."""
    from scipy.stats import kendalltau, spearmanr  # slow to load, and most runs that are read have no predictions

    n = len(predicted)
    if n < 3 or len(set(predicted)) == 1 or len(set(observed)) == 1:
        return Agreement(n, None, None)
    kendall, spearman = kendalltau(predicted, observed).statistic, spearmanr(predicted, observed).statistic
    return Agreement(n, _told(kendall), _told(spearman))


def agreements(scored: Iterable[Scored]) -> list[EpisodeAgreement]:
    """The agreement of each episode that had predictions, from the records alone; empty for other strategies."""
    pairs: dict[int, dict[str, list[tuple[float, float]]]] = {}
    for record, fitness in scored:
        kind, _, predicted = record.origin.partition(":")
        if kind in (CHOSEN, DRAWN) and predicted and fitness.finite:
            of_episode = pairs.setdefault(record.generation, {CHOSEN: [], DRAWN: []})
            of_episode[kind].append((float(predicted), fitness.scalar))
    return [
        EpisodeAgreement(episode, _agreement(pairs[episode][DRAWN]), _agreement(pairs[episode][CHOSEN]))
        for episode in sorted(pairs)
    ]


def _agreement(pairs: Sequence[tuple[float, float]]) -> Agreement:
    return agreement([predicted for predicted, _ in pairs], [observed for _, observed in pairs])


def _told(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
