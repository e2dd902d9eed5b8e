from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from rosearch.evaluation.comparison import (
    Comparison,
    PairedDifference,
    bootstrap_difference,
    compare,
    holm,
    mcnemar,
    rows_needed,
    smallest_separable,
    survival_difference,
)
from rosearch.measurements import Estimate

Z = float(stats.norm.ppf(0.975))


def of_counts(both: int, only_a: int, only_b: int, neither: int) -> Comparison:
    """Two models whose rows survive in these numbers; a row that breaks took a quarter of its words."""
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    return compare("A", a, np.where(a, 1.0, 0.25), "B", b, np.where(b, 1.0, 0.25))


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 1), (5, 0), (6, 0), (3, 9), (40, 61), (700, 612)])
def test_mcnemars_test_is_scipys_exact_binomial_test_of_the_discordant_rows(only_a: int, only_b: int) -> None:
    # Both tails of a fair coin are the same, so twice the smaller one is the whole p.
    tail = stats.binom.cdf(min(only_a, only_b), only_a + only_b, 0.5)
    assert mcnemar(only_a, only_b) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar(only_a, only_b) == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)


def test_no_discordant_row_tells_nothing() -> None:
    assert mcnemar(0, 0) == 1.0
    with pytest.raises(ValueError, match="counts"):
        mcnemar(-1, 3)


def score_statistic(only_a: int, only_b: int, n: int, difference: float) -> float:
    """Tango's nuisance parameter, found by maximising the likelihood of the three counts numerically."""

    def minus_log_likelihood(share_b: float) -> float:
        cells = share_b + difference, share_b, 1 - difference - 2 * share_b
        counts = only_a, only_b, n - only_a - only_b
        return -sum(count * math.log(max(cell, 1e-300)) for cell, count in zip(cells, counts, strict=True) if count)

    bounds = max(0.0, -difference), (1 - difference) / 2
    found = optimize.minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12})
    variance = n * (2 * found.x + difference - difference**2)
    return (only_a - only_b - n * difference) / math.sqrt(variance)


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(12, 2, 50), (25, 9, 100), (40, 20, 200), (30, 8, 872)])
def test_the_ends_of_the_interval_are_the_differences_that_a_score_test_just_rejects(
    only_a: int, only_b: int, n: int
) -> None:
    found = survival_difference(only_a, only_b, n).difference
    assert found.low < found.value == (only_a - only_b) / n < found.high
    assert score_statistic(only_a, only_b, n, found.low) == pytest.approx(Z, abs=1e-3)
    assert score_statistic(only_a, only_b, n, found.high) == pytest.approx(-Z, abs=1e-3)


@pytest.mark.parametrize("n", [1, 10, 200])
def test_models_that_agree_on_all_rows_may_still_differ_a_little(n: int) -> None:
    found = survival_difference(0, 0, n)
    assert found.difference.high == pytest.approx(Z**2 / (n + Z**2)) == -found.difference.low
    assert found.needed is None and not found.separated


@settings(max_examples=200)
@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
def test_an_interval_excludes_0_exactly_where_mcnemars_test_separates(counts: tuple[int, int, int]) -> None:
    only_a, only_b, n = min(counts[0], counts[2] - counts[1]), counts[1], counts[2]
    if only_a < 0:
        return
    found = survival_difference(only_a, only_b, n)
    assert 0 <= found.p <= 1
    assert -1 <= found.difference.low <= found.difference.value <= found.difference.high <= 1
    assert found.separated == (mcnemar(only_a, only_b) < 0.05)
    assert found.needed is None or found.separated or found.needed > n


def test_mcnemars_exact_test_is_stricter_than_the_score_test_whatever_the_counts() -> None:
    for discordant in range(1, 2000):
        more = np.arange(discordant // 2 + 1, discordant + 1)
        separated = more[2 * stats.binom.cdf(discordant - more, discordant, 0.5) < 0.05]
        if len(separated):
            assert (2 * separated[0] - discordant) / math.sqrt(discordant) > Z


def test_the_interval_covers_the_true_difference_in_about_95_percent_of_samples() -> None:
    # All samples of 40 rows, each with its chance: no simulation.
    n, share_a, share_b = 40, 0.2, 0.08
    covered = 0.0
    for only_a in range(n + 1):
        for only_b in range(n + 1 - only_a):
            chance = stats.multinomial.pmf([only_a, only_b, n - only_a - only_b], n, [share_a, share_b, 0.72])
            if chance > 1e-7:
                found = survival_difference(only_a, only_b, n).difference
                covered += chance * (found.low <= share_a - share_b <= found.high)
    assert 0.94 < covered < 0.98


def test_equal_models_are_separated_in_less_than_5_percent_of_samples() -> None:
    n, share = 60, 0.15  # of the rows that survive in one model alone, in either
    wrong = 0.0
    for discordant in range(n + 1):
        chance = float(stats.binom.pmf(discordant, n, 2 * share))
        for only_a in range(discordant + 1):
            if mcnemar(only_a, discordant - only_a) < 0.05:
                wrong += chance * float(stats.binom.pmf(only_a, discordant, 0.5))
    assert 0 < wrong < 0.05


@pytest.mark.parametrize(
    ("difference", "discordant", "rows"),
    [
        (0.01, 0.05, 3923),
        (0.01, 0.1, 7847),
        (0.02, 0.05, 979),
        (0.02, 0.1, 1960),
        (0.03, 0.05, 434),
        (0.03, 0.1, 870),
        (0.03, 0.2, 1742),
        (0.05, 0.05, 155),
        (0.05, 0.1, 312),
        (0.05, 0.2, 626),
        (0.1, 0.1, 77),
        (0.1, 0.2, 155),
    ],
)
def test_rows_needed_for_80_percent_power(difference: float, discordant: float, rows: int) -> None:
    assert abs(rows_needed(difference, discordant) - rows) <= 1
    smallest = smallest_separable(rows + 1, discordant)
    assert smallest is not None and smallest <= difference
    assert smallest == pytest.approx(difference, rel=0.02)


@given(st.integers(20, 20_000), st.floats(0.01, 1.0), st.floats(0.5, 0.99))
def test_the_smallest_separable_difference_needs_the_rows_that_there_are(n: int, share: float, power: float) -> None:
    smallest = smallest_separable(n, share, power)
    if smallest is None:
        assert rows_needed(share, share, power) > n
    else:
        assert 0 < smallest <= share
        assert rows_needed(smallest, share, power) in (n, n + 1)  # the root, rounded to either side


@pytest.mark.parametrize(("difference", "discordant"), [(0.0, 0.1), (0.2, 0.1), (0.1, 1.5), (math.nan, 0.1)])
def test_impossible_sample_sizes_are_refused(difference: float, discordant: float) -> None:
    with pytest.raises(ValueError, match="no sample size"):
        rows_needed(difference, discordant)


def test_the_bootstrap_is_scipys_percentile_bootstrap_of_the_same_draws() -> None:
    data = np.sort(np.random.default_rng(3).normal(0.2, 0.3, size=60))
    rng = np.random.default_rng(11)
    reference = stats.bootstrap((data,), np.mean, n_resamples=999, method="percentile", rng=rng).confidence_interval
    found = bootstrap_difference(data, seed=11, resamples=999).difference
    assert (found.low, found.high) == (pytest.approx(reference.low), pytest.approx(reference.high))
    assert (found.value, found.n) == (pytest.approx(data.mean()), 60)


def test_the_p_of_a_mean_is_that_of_scipys_permutation_test_of_signs() -> None:
    data = np.array([0.3, 0.1, -0.2, 0.4, 0.25, 0.05, -0.1, 0.3])  # 256 flips: scipy takes all of them
    exact = stats.permutation_test((data,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert bootstrap_difference(data).p == pytest.approx(exact, abs=0.01)


differences = st.lists(st.floats(-1, 1).map(lambda share: round(share, 4)), min_size=1, max_size=25)


@settings(max_examples=60)
@given(differences, st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_of_models_changes_a_bootstrap(values: list[float], random: object) -> None:
    found = bootstrap_difference(values, resamples=199)
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert bootstrap_difference(shuffled, resamples=199) == found
    mirrored = bootstrap_difference([-value for value in values], resamples=199)
    assert mirrored.p == found.p and 0 < found.p <= 1
    estimate = found.difference
    assert mirrored.difference == Estimate(-estimate.value, -estimate.high, -estimate.low, estimate.n)
    assert estimate.low <= estimate.value <= estimate.high


def test_a_seed_gives_the_same_interval_again_and_another_seed_nearly_the_same() -> None:
    values = np.random.default_rng(0).normal(0.05, 0.2, size=100)
    first, again, other = (bootstrap_difference(values, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert other.difference.low == pytest.approx(first.difference.low, abs=0.005)


@pytest.mark.parametrize("values", [[0.4], [0.4] * 5, [0.0] * 95 + [0.2, 0.3, 0.4, 0.1, 0.5]])
def test_five_rows_that_differ_separate_nothing_however_alike_they_are(values: Sequence[float]) -> None:
    found = bootstrap_difference(values)
    assert found.p > 0.05 and not found.separated
    assert found.difference.low == 0.0


def test_equal_models_are_rarely_separated_by_words_to_break_even_with_ten_rows_that_differ() -> None:
    rng = np.random.default_rng(7)
    rounds, separated = 400, 0
    for _ in range(rounds):
        values = np.where(rng.random(200) < 0.05, rng.choice([-1, 1], 200) * rng.beta(1, 3, 200), 0.0)
        separated += bootstrap_difference(values, resamples=399).separated
    assert separated <= stats.binom.ppf(0.999, rounds, 0.05)


@pytest.mark.parametrize("values", [[], [0.1, math.nan]])
def test_a_bootstrap_of_nothing_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="differences"):
        bootstrap_difference(values)


def test_a_comparison_holds_both_measures_and_who_has_more() -> None:
    found = of_counts(both=60, only_a=25, only_b=5, neither=110)
    assert (found.n, found.only_first, found.only_second) == (200, 25, 5)
    assert found.survival.difference.value == pytest.approx(0.1)
    assert found.words_to_break.difference.value == pytest.approx(0.1 * 0.75)
    assert found.survival.p == mcnemar(25, 5)
    assert found.separated and found.words_to_break.separated and found.warning == ""


def test_a_sample_that_cannot_separate_says_so_and_how_many_rows_would() -> None:
    found = of_counts(both=60, only_a=5, only_b=3, neither=132)
    needed = rows_needed(0.01, 0.04)
    low, high = found.survival.difference.low, found.survival.difference.high
    assert found.warning == (
        f"the 200 rows cannot separate A from B: difference +1.0 points [{100 * low:.1f}, {100 * high:.1f}]; "
        f"about {needed:,} rows would (80 % power)"
    )
    assert not found.separated and needed > 3000


def test_models_without_any_difference_need_no_number_of_rows() -> None:
    warning = of_counts(both=20, only_a=4, only_b=4, neither=22).warning
    assert "difference +0.0 points [" in warning and "would" not in warning


def test_a_warning_says_where_the_finer_measure_separates() -> None:
    survived = np.zeros(100, dtype=bool)
    found = compare("A", survived, np.full(100, 0.3), "B", survived, np.full(100, 0.2))
    assert not found.separated and found.words_to_break.separated
    assert found.warning.endswith("; words to break do separate them: +10.0 points [10.0, 10.0]")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_changing_places_changes_the_sign_alone(rows: list[tuple[bool, bool, float, float]]) -> None:
    a, b, shares_a, shares_b = zip(*rows, strict=True)
    there, back = compare("A", a, shares_a, "B", b, shares_b), compare("B", b, shares_b, "A", a, shares_a)
    for one, other in ((there.survival, back.survival), (there.words_to_break, back.words_to_break)):
        assert (one.p, one.needed, one.separated) == (other.p, other.needed, other.separated)
        assert one.difference.low == pytest.approx(-other.difference.high, abs=1e-12)
        assert one.difference.value == pytest.approx(-other.difference.value, abs=1e-12)


@pytest.mark.parametrize(
    ("survived", "shares", "said"),
    [
        ([True], [0.5, 0.5], "same rows"),
        ([True, False, True], [1.0, 0.2, 1.0], "same rows"),
        ([1, 2], [0.5, 0.5], "booleans"),
        ([True, False], [0.5, 1.5], r"0\.\.1"),
        ([True, False], [0.5, math.nan], r"0\.\.1"),
    ],
)
def test_rows_that_cannot_be_paired_are_refused(survived: list[int], shares: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        compare("A", survived, shares, "B", [True, False], [1.0, 0.5])
    with pytest.raises(ValueError, match="same rows"):
        compare("A", [], [], "B", [], [])


def test_a_difference_near_0_is_printed_without_a_minus() -> None:
    assert str(PairedDifference(Estimate(-0.0001, -0.02, 0.0199, 10), 1.0, None)) == "+0.0 points [-2.0, 2.0]"


def test_no_p_is_smaller_than_its_resamples_can_tell() -> None:
    assert bootstrap_difference(np.linspace(0.1, 0.9, 60), resamples=99).p == pytest.approx(1 / 100)


def test_holm_adjusts_as_in_the_worked_example() -> None:
    assert holm([0.01, 0.04, math.nan, 0.03, 0.005]) == pytest.approx([0.03, 0.06, math.nan, 0.06, 0.02], nan_ok=True)


@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=20))
def test_holm_only_raises_keeps_the_order_and_stays_a_probability(p: list[float]) -> None:
    values, adjusted = np.array(p), holm(p)
    tested = ~np.isnan(values)
    assert np.array_equal(tested, ~np.isnan(adjusted))
    values, adjusted = values[tested], adjusted[tested]
    assert (adjusted >= values).all() and (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(values, kind="stable")]) >= 0).all()
    assert (adjusted <= np.minimum(1.0, values * len(values)) + 1e-12).all()
