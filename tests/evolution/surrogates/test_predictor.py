"""The contract of `RewardPredictor`, for every predictor that an experiment can name."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import product
from math import log
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from rosearch.config.evolution import KdNasConfig
from rosearch.evolution.surrogates import make_predictor
from rosearch.evolution.surrogates.predictor import (
    Choices,
    Context,
    Episode,
    RewardPredictor,
    context_of,
)

NAMES = get_args(KdNasConfig.model_fields["predictor"].annotation)
pytestmark = pytest.mark.parametrize("name", NAMES)
VALUES = ((3, 4, 6, 12), (2, 4), (384, 768), (512, 1024, 3072))
SIZES = [len(values) for values in VALUES]
EVERY = list(product(*map(range, SIZES)))


def features(choices: Choices) -> list[float]:
    return [log(values[position]) for values, position in zip(VALUES, choices, strict=True)]


def reward(choices: Choices) -> float:
    depth, _, width, inner = features(choices)
    return 5.0 + 0.1 * depth + 0.2 * width - 0.05 * depth * inner


def history(episodes: int = 3, size: int = 8, of: Callable[[Choices], float] = reward) -> list[Episode]:
    drawn = random.Random(3).sample(EVERY, episodes * size)
    groups = [tuple(drawn[first : first + size]) for first in range(0, len(drawn), size)]
    return [Episode(group, tuple(map(of, group))) for group in groups]


def make(name: str, seed: int = 2**62 + 1, passes: int = 20) -> RewardPredictor:
    return make_predictor(name, SIZES, features, seed, passes)


def predictions(name: str, told: Sequence[Episode], **settings: int) -> np.ndarray:
    predictor = make(name, **settings)
    predictor.fit(told)
    return predictor.predict(EVERY, context_of(told))


def test_what_was_not_told_is_ranked_by_its_reward(name: str) -> None:
    told = history()
    seen = {choices for episode in told for choices in episode.choices}
    unseen = [choices for choices in EVERY if choices not in seen]
    predictor = make(name, passes=400)
    predictor.fit(told)
    predicted = predictor.predict(unseen, context_of(told))
    assert predicted.shape == (len(unseen),)
    assert spearmanr(predicted, [reward(choices) for choices in unseen]).statistic > 0.6
    assert np.abs(predicted - np.mean([reward(choices) for choices in unseen])).max() < 1.0  # in units of the reward


def test_a_history_told_at_once_and_one_told_by_episodes_are_the_same(name: str) -> None:
    told = history()
    predictor = make(name)
    for count in range(1, len(told) + 1):
        predictor.fit(told[:count])
    assert predictor.predict(EVERY, context_of(told)).tolist() == predictions(name, told).tolist()


def test_equal_seeds_give_equal_predictions_however_many_threads_there_are(name: str) -> None:
    first = predictions(name, history())
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        second = predictions(name, history())
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert first.tolist() == second.tolist()


def test_global_random_states_neither_matter_nor_move(name: str) -> None:
    first = predictions(name, history())
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    second = predictions(name, history())
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before
    assert first.tolist() == second.tolist()


def test_rewards_that_are_all_equal_are_predicted_as_such(name: str) -> None:
    assert predictions(name, history(of=lambda choices: 2.0), passes=300) == pytest.approx(2.0, abs=0.5)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_rewards_does_not_matter_to_the_ranking(name: str, scale: float) -> None:
    plain = predictions(name, history())
    scaled = predictions(name, history(of=lambda choices: scale * reward(choices)))
    assert np.isfinite(scaled).all()
    assert spearmanr(plain, scaled).statistic > 0.99


def test_two_architectures_and_episodes_of_failures_alone_are_enough(name: str) -> None:
    told = [Episode((), ()), Episode(tuple(EVERY[:2]), (1.0, 2.0)), Episode((), ())]
    assert np.isfinite(predictions(name, told)).all()


def test_only_the_lstm_reads_what_was_best_before(name: str) -> None:
    predictor = make(name)
    predictor.fit(history())
    one, other = (predictor.predict(EVERY, Context(best, best)).tolist() for best in (EVERY[0], EVERY[-1]))
    assert (one != other) == (name == "lstm")
