from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from rosearch.evolution.surrogates.gaussian import GaussianProcesses


def rows(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 4)) * [1.0, 100.0, 1.0, 0.0]  # of unlike scales; one constant


def truth(x: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(3 * x[:, 0]) + x[:, 1] / 100, 5 + 0.1 * x[:, 2] ** 2, np.full(len(x), 7.0)], axis=-1)


def test_each_output_is_predicted_in_its_own_unit_and_a_constant_as_it_is() -> None:
    fresh = rows(50, 2)
    mean, deviation = GaussianProcesses(rows(40, 1), truth(rows(40, 1))).predict(fresh)
    assert mean.shape == deviation.shape == (50, 3)
    for output in (0, 1):
        assert spearmanr(mean[:, output], truth(fresh)[:, output]).statistic > 0.95
        assert np.abs(mean[:, output] - truth(fresh)[:, output]).mean() < 0.2 * truth(fresh)[:, output].std()
    assert mean[:, 2] == pytest.approx(7.0)


def test_it_is_surer_near_what_it_knows() -> None:
    known = rows(40, 1)
    far = known + np.array([3.0, 300.0, 3.0, 0.0])
    _, deviation = GaussianProcesses(known, truth(known)).predict(np.concatenate([known, far]))
    assert (deviation[:40, 0] < deviation[40:, 0]).all()


def test_noise_is_taken_for_noise() -> None:
    known, noise = rows(80, 1), np.random.default_rng(3).normal(0.0, 0.3, (80, 1))
    mean, _ = GaussianProcesses(known, truth(known)[:, :1] + noise).predict(known)
    errors = mean - truth(known)[:, :1]
    assert np.abs(errors).mean() < 0.5 * np.abs(noise).mean()


def test_rows_that_are_all_alike_predict_their_mean() -> None:
    mean, deviation = GaussianProcesses(np.ones((6, 2)), np.arange(6.0)[:, None]).predict(np.ones((3, 2)))
    assert mean == pytest.approx(2.5) and np.isfinite(deviation).all()
