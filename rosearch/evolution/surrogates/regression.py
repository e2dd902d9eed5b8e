"""Reward predictors of scikit-learn, on features of the architecture (ours: the paper's controller is the LSTM).

They learn the whole history anew after each episode, which takes a moment. They read no context.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rosearch.evolution.surrogates.predictor import (
    Choices,
    Context,
    Episode,
    Features,
    RewardPredictor,
    Values,
    standardised,
)


def _boosting(seed: int) -> Any:
    """Shallow trees in small steps, for a history of dozens of rows."""
    return GradientBoostingRegressor(n_estimators=200, learning_rate=0.05, max_depth=3, random_state=seed)


def _gaussian_process(seed: int) -> Any:
    """One length scale for all features: a first episode of 20 rows is too short for one each. Noise is learnt."""
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(2.0, (1e-1, 1e2), nu=2.5) + WhiteKernel(0.1, (1e-5, 1e1))
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, random_state=seed))


REGRESSORS: Mapping[str, Callable[[int], Any]] = {"boosting": _boosting, "gaussian_process": _gaussian_process}


class FeaturePredictor(RewardPredictor):
    """A regression of z-scored rewards on `features`."""

    def __init__(self, make: Callable[[int], Any], features: Features, seed: int) -> None:
        self._make = make
        self._features = features
        self._seed = seed % 2**32  # numpy takes no more bits
        self._model: Any = None
        self._mean, self._deviation = 0.0, 1.0

    def fit(self, history: Sequence[Episode]) -> None:
        """See `RewardPredictor`. A shorter history than the last is fine too."""
        rows = self._table([choices for episode in history for choices in episode.choices])
        scores, self._mean, self._deviation = standardised([r for episode in history for r in episode.rewards])
        self._model = self._make(self._seed)
        with warnings.catch_warnings():
            # A length scale at its bound means a feature without information: no news for the user.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(rows, scores)

    def predict(self, candidates: Sequence[Choices], context: Context) -> Values:
        """See `RewardPredictor`. The context is not read."""
        scores: Values = self._model.predict(self._table(candidates))
        return scores * self._deviation + self._mean

    def _table(self, candidates: Sequence[Choices]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return np.array([self._features(choices) for choices in candidates], dtype=np.float64)
