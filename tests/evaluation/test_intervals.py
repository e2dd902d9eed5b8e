import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rosearch.evaluation.intervals import mean_interval, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (23, 50), (5, 100), (460, 1000)])
def test_a_share_has_scipys_wilson_interval(successes: int, n: int) -> None:
    reference = stats.binomtest(successes, n).proportion_ci(confidence_level=0.95, method="wilson")
    estimate = wilson(successes, n)
    assert (estimate.value, estimate.n) == (successes / n, n)
    assert estimate.low == pytest.approx(reference.low, abs=1e-12)
    assert estimate.high == pytest.approx(reference.high, abs=1e-12)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_of_a_share_contains_it_and_stays_within_0_and_1(counts: tuple[int, int]) -> None:
    estimate = wilson(*counts)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high


def test_a_share_of_no_rows_says_that_nothing_is_known() -> None:
    estimate = wilson(0, 0)
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (0.0, 0.0, 1.0, 0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (1, 0)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(successes, n)


def test_a_mean_has_scipys_t_interval() -> None:
    values = np.random.default_rng(1).normal(20, 5, size=37)
    reference = stats.t.interval(0.95, 36, loc=values.mean(), scale=stats.sem(values))
    estimate = mean_interval(values.tolist())
    assert estimate.value == pytest.approx(values.mean())
    assert (estimate.low, estimate.high) == (pytest.approx(reference[0]), pytest.approx(reference[1]))
    assert estimate.n == 37


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_of_a_mean_contains_it_and_stays_within_its_limits(values: list[float]) -> None:
    estimate = mean_interval(values, (0.0, 1.0))
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_the_limits_cut_an_interval_that_would_pass_them() -> None:
    assert mean_interval([0.0, 1.0]).low < 0
    estimate = mean_interval([0.0, 1.0], (0.0, 1.0))
    assert (estimate.low, estimate.high) == (0.0, 1.0)


def test_one_value_is_its_own_interval_and_none_is_zero() -> None:
    one, none = mean_interval([3.5]), mean_interval([])
    assert (one.value, one.low, one.high, one.n) == (3.5, 3.5, 3.5, 1)
    assert (none.value, none.low, none.high, none.n) == (0.0, 0.0, 0.0, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_mean_of_values_that_are_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval([1.0, value])
