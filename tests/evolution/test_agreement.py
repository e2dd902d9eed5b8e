from __future__ import annotations

import pytest

from rosearch.evolution.agreement import Agreement, agreement


def test_rank_correlations_are_those_of_scipy_with_ties() -> None:
    found = agreement([1.0, 2.0, 3.0, 4.0], [0.1, 0.3, 0.2, 0.2])
    assert (found.n, found.kendall, found.spearman) == (4, pytest.approx(0.1825742), pytest.approx(0.3162278))
    assert agreement([1.0, 2.0, 3.0], [5.0, 6.0, 9.0]) == Agreement(3, 1.0, 1.0)


@pytest.mark.parametrize(
    ("predicted", "observed"),
    [([], []), ([1.0, 2.0], [1.0, 2.0]), ([1.0] * 3, [1.0, 2.0, 3.0]), ([1.0, 2, 3], [4.0] * 3)],
)
def test_what_tells_nothing_has_no_correlation(predicted: list[float], observed: list[float]) -> None:
    assert agreement(predicted, observed) == Agreement(len(predicted), None, None)
