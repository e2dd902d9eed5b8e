from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from report.descent import evolve

from rosearch.report.pooling import pooled_statistics, pooled_tables, random_effects
from rosearch.report.statistics import feature_statistics


def test_equal_effects_have_no_spread_and_the_fixed_effects_interval_on_students_t() -> None:
    found = random_effects([0.5, 0.5, 0.5], [0.04, 0.04, 0.04])
    assert found.mean == pytest.approx(0.5) and found.tau == 0
    assert found.high - found.mean == pytest.approx(4.3027 * math.sqrt(0.04 / 3), rel=1e-4)


def test_effects_that_differ_more_than_chance_have_a_spread_and_a_wider_interval() -> None:
    alike, apart = (random_effects(effects, [0.01] * 4) for effects in ([0.5] * 4, [-0.5, 0.2, 0.8, 1.5]))
    assert apart.tau > 0.5 and apart.high - apart.low > alike.high - alike.low and apart.p > alike.p


def test_an_exact_run_counts_more_and_one_run_is_no_pool() -> None:
    assert random_effects([0.0, 1.0], [0.001, 10.0]).mean == pytest.approx(0.0, abs=0.01)
    assert math.isnan(random_effects([1.0], [0.1]).p)


@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_without_an_effect_p_is_below_5_percent_in_about_5_percent(tau: float) -> None:
    rng = np.random.default_rng(1)
    variances = np.array([0.05, 0.1, 0.1, 0.2])
    draws = rng.normal(size=(1000, 4)) * np.sqrt(variances + tau**2)
    assert np.mean([random_effects(one, variances).p < 0.05 for one in draws]) < 0.07


def test_runs_that_agree_find_what_none_of_them_finds_and_the_table_says_so() -> None:
    frames = [feature_statistics(evolve(seed, 10, 4, effect=1.5), features=("depth", "width")) for seed in range(8)]
    found = pooled_statistics(frames)
    depth = found[found["feature"] == "depth"].iloc[0]
    assert depth["p_holm"] < 0.05 and depth["runs"] == 8 and depth["sibling_rho_low"] > 0
    (shown,) = pooled_tables(found, 8)
    assert shown.title == "What goes with clean quality, over 8 runs" and "depth (+" in shown.notes[0]


def test_a_feature_that_differs_in_one_run_alone_is_named() -> None:
    one = feature_statistics(evolve(1, 10, 3), features=("depth",))
    other = feature_statistics(evolve(2, 10, 3).assign(depth=1.0), features=("depth",))
    (shown,) = pooled_tables(pooled_statistics([one, other]), 2)
    assert shown.rows == () and "fewer than two runs have siblings that differ in: depth" in shown.notes
    assert isinstance(pooled_statistics([one, other]), pd.DataFrame)
