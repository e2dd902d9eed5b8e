"""Predictors of the reward, which `kd_nas` asks before a candidate is distilled, by their names in the experiment."""

from __future__ import annotations

from collections.abc import Sequence

from rosearch.evolution.surrogates.predictor import Features, RewardPredictor


def make_predictor(name: str, sizes: Sequence[int], features: Features, seed: int, passes: int) -> RewardPredictor:
    """The predictor of a name: `lstm`, `boosting` or `gaussian_process`.

    `sizes` are the numbers of values of each choice. `passes` counts the passes of the LSTM over the history after each
    episode. The libraries of a predictor are loaded here: only the LSTM needs torch.
    """
    if name == "lstm":
        from rosearch.evolution.surrogates.lstm import LstmPredictor

        return LstmPredictor(sizes, seed, passes)
    from rosearch.evolution.surrogates.regression import REGRESSORS, FeaturePredictor

    return FeaturePredictor(REGRESSORS[name], features, seed)
