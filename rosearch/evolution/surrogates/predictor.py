"""The interface of reward predictors, and the history that they learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Choices = tuple[int, ...]  # one architecture: for each choice the position of its value
Values = np.ndarray[tuple[int], np.dtype[np.float64]]
Features = Callable[[Choices], Sequence[float]]  # an architecture as numbers, always equally many


@dataclass(frozen=True)
class Episode:
    """The architectures of one generation with their observed, finite rewards. Failures are left out."""

    choices: tuple[Choices, ...]
    rewards: tuple[float, ...]


@dataclass(frozen=True)
class Context:
    """The two architectures before a candidate in the sequence that the LSTM reads; None if there was none yet."""

    last: Choices | None = None  # the best of the last episode
    best: Choices | None = None  # the best so far


def context_of(history: Sequence[Episode]) -> Context:
    """The context of the episode after these. Of equal rewards the earlier architecture counts."""
    told = [episode for episode in history if episode.choices]
    every = Episode(tuple(c for e in told for c in e.choices), tuple(r for e in told for r in e.rewards))
    return Context(_best(told[-1]), _best(every)) if told else Context()


class RewardPredictor(ABC):
    """Learns the told rewards and predicts the others. One test suite holds every predictor to these rules.

    Predictions depend on the seed and the history alone: a history told at once gives the same predictor as one told
    episode by episode, in this process or in another. No global random state is read or moved.
    """

    @abstractmethod
    def fit(self, history: Sequence[Episode]) -> None:
        """Learns all episodes so far: those of the last call, and the newer ones. At least one has an architecture.

        Raises `ValueError` where an episode of the last call is missing.
        """

    @abstractmethod
    def predict(self, candidates: Sequence[Choices], context: Context) -> Values:
        """The predicted reward of each candidate, (candidates,), finite; after `fit`."""


def standardised(rewards: Sequence[float]) -> tuple[Values, float, float]:
    """Rewards (n,) as z-scores, with the mean and the deviation that undo them. A deviation of 0 counts as 1."""
    values: np.ndarray[Any, np.dtype[np.float64]] = np.asarray(rewards, dtype=np.float64)
    mean, deviation = float(values.mean()), float(values.std())
    deviation = deviation if deviation > 1e-12 else 1.0
    return (values - mean) / deviation, mean, deviation


def _best(episode: Episode) -> Choices:
    return episode.choices[max(range(len(episode.rewards)), key=episode.rewards.__getitem__)]
