from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pytest
from report.descent import evolve
from scipy import stats

from rosearch.report.kinship import Kinship
from rosearch.report.sibling_tests import Draws, contrasts, correlate, detectable, standard_ranks
from rosearch.report.statistics import feature_statistics


def pair(x: np.ndarray, y: np.ndarray, families: np.ndarray, *controls: np.ndarray):  # type: ignore[no-untyped-def]
    held = np.stack(controls, axis=1) if controls else np.zeros((len(x), 0))
    return correlate(x[:, None], y, held, families, Draws())


def test_one_family_is_spearmans_test() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 20))
    found, expected = pair(x, y, np.zeros(20, int)), stats.spearmanr(x, y)
    assert found.sibling_rho[0] == pytest.approx(expected.statistic) == found.rho[0]
    assert found.p[0] == pytest.approx(expected.pvalue) and found.comparisons[0] == 19


def test_contrasts_keep_all_products_within_families() -> None:
    rng = np.random.default_rng(2)
    families, values = np.repeat([0, 1, 2, 3], [1, 2, 4, 9]), rng.normal(size=(16, 2))
    within = values - np.array([values[families == one].mean(axis=0) for one in families])
    made = contrasts(values, families)
    assert made.shape == (12, 2) and np.allclose(made.T @ made, within.T @ within)


def test_of_few_siblings_p_is_the_share_of_orders_within_families() -> None:
    rng = np.random.default_rng(3)
    families, x, y = np.repeat([0, 1, 2], [3, 3, 2]), rng.normal(size=8), rng.normal(size=8)
    ranked = standard_ranks(y[:, None])[:, 0]
    rx = standard_ranks(x[:, None])[:, 0]
    rx = rx - np.array([rx[families == one].mean() for one in families])
    orders = product(*(permutations(ranked[families == one]) for one in range(3)))
    sums = np.array([np.concatenate(order) @ rx for order in orders])
    expected = (np.abs(sums - sums.mean()) >= abs(ranked @ rx - sums.mean()) - 1e-12).mean()
    assert pair(x, y, families).p[0] == pytest.approx(expected, abs=0.02)


def test_what_differs_between_families_alone_is_no_evidence() -> None:
    families = np.repeat(np.arange(10), 4)
    noise = np.random.default_rng(4).normal(size=(2, 40))
    x, y = families + 0.01 * noise[0], families + 0.01 * noise[1]
    found = pair(x, y, families)
    assert found.rho[0] > 0.9 and found.p[0] > 0.05 and abs(found.sibling_rho[0]) < 0.5


def test_siblings_that_never_differ_have_no_p() -> None:
    families = np.repeat(np.arange(10), 2)
    found = pair(families.astype(float), np.random.default_rng(5).normal(size=20), families)
    assert math.isnan(found.p[0]) and not math.isnan(found.rho[0]) and found.comparisons[0] == 0


def test_the_order_of_the_rows_changes_nothing() -> None:
    rng = np.random.default_rng(6)
    x, y, z = rng.normal(size=(3, 40))
    families, order = rng.integers(0, 8, 40), rng.permutation(40)
    one, other = pair(x, y, families, z), pair(x[order], y[order], families[order], z[order])
    assert one.p[0] == pytest.approx(other.p[0]) and one.sibling_rho[0] == pytest.approx(other.sibling_rho[0])


def test_more_comparisons_see_weaker_relations_and_three_see_none() -> None:
    assert 1 > detectable(10) > detectable(30) > detectable(300) > 0.1
    assert detectable(30, alpha=0.001) > detectable(30) < detectable(30, controlled=2)
    assert math.isnan(detectable(2))


def test_a_relation_among_siblings_is_found_and_its_interval_holds_it() -> None:
    found = feature_statistics(evolve(3, 20, 8, effect=6.0), features=("depth",)).iloc[0]
    assert found["p"] < 0.001 and 0 < found["sibling_rho_low"] < found["sibling_rho"] < found["sibling_rho_high"]


@pytest.mark.slow
def test_a_feature_that_is_inherited_without_effect_is_seldom_found_where_independence_finds_it_often() -> None:
    """200 searches: 5 % has a standard error of 1.5 points."""
    siblings, independent = [], []
    for seed in range(200):
        table = evolve(seed)
        siblings.append(feature_statistics(table, features=("depth",))["p"].iloc[0] < 0.05)
        independent.append(stats.spearmanr(table["depth"], table["quality"]).pvalue < 0.05)
        assert Kinship.of(table).comparisons < len(table)
    assert np.mean(siblings) < 0.10 and np.mean(independent) > 0.25
