from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rosearch.evaluation.sequential import Hopeless, is_hopeless, looks_at, odds


def test_looks_are_spread_evenly_and_none_is_at_the_end() -> None:
    assert looks_at(100, 4) == (20, 40, 60, 80)
    assert looks_at(200, 1) == (100,)
    assert looks_at(10, 3) == (2, 5, 7)


@given(st.integers(1, 2000), st.integers(1, 12))
def test_looks_ascend_within_the_rows_whatever_their_number(rows: int, looks: int) -> None:
    places = looks_at(rows, looks)
    assert len(places) <= looks and list(places) == sorted(set(places))
    assert all(0 < place < rows for place in places)


@pytest.mark.parametrize(("rows", "looks"), [(0, 3), (10, 0)])
def test_looks_without_rows_are_refused(rows: int, looks: int) -> None:
    with pytest.raises(ValueError, match="cannot look"):
        looks_at(rows, looks)


@pytest.mark.parametrize(("below", "error_rate", "looks"), [(0.3, 0.05, 4), (0.1, 0.01, 1), (0.6, 0.1, 5)])
def test_a_candidate_is_hopeless_where_the_exact_upper_bound_is_below(
    below: float, error_rate: float, looks: int
) -> None:
    hopeless = Hopeless(below, error_rate, looks)
    for seen in (1, 7, 20, 50, 120):
        for survived in range(seen + 1):
            bound = 1.0 if survived == seen else stats.beta.ppf(1 - error_rate / looks, survived + 1, seen - survived)
            assert is_hopeless(survived, seen, hopeless) == (bound < below)


def test_nothing_is_hopeless_before_a_row_is_seen() -> None:
    assert not is_hopeless(0, 0, Hopeless(0.9))


def test_more_survivors_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="within"):
        is_hopeless(5, 4, Hopeless(0.3))


PLANS = list(itertools.product([30, 200], [0.05, 0.3, 0.8], [0.01, 0.05, 0.2], [1, 2, 4, 8]))


@pytest.mark.parametrize("error_rate", [0.01, 0.05, 0.2])
def test_no_good_candidate_is_stopped_more_often_than_the_error_rate(error_rate: float) -> None:
    # Exactly, over all paths: whatever the plan and the share of a candidate that is not below.
    for rows, below, rate, looks in PLANS:
        if rate == error_rate:
            for share in (below, below + 0.02):
                assert odds(share, rows, Hopeless(below, rate, looks)).stopped <= rate


def test_the_odds_are_those_of_all_sequences_of_rows() -> None:
    rows, share, hopeless = 12, 0.25, Hopeless(0.7, 0.2, 3)
    stopped = attacked = 0.0
    for sequence in itertools.product((0, 1), repeat=rows):
        chance = share ** sum(sequence) * (1 - share) ** (rows - sum(sequence))
        at = [look for look in looks_at(rows, 3) if is_hopeless(sum(sequence[:look]), look, hopeless)]
        stopped += chance * bool(at)
        attacked += chance * (at[0] if at else rows)
    found = odds(share, rows, hopeless)
    assert 0.1 < found.stopped < 1
    assert (found.stopped, found.rows) == (pytest.approx(stopped), pytest.approx(attacked))


def test_the_odds_are_what_simulated_candidates_meet() -> None:
    hopeless, rows, rounds = Hopeless(0.3), 100, 4000
    paths = (np.random.default_rng(1).random((rounds, rows)) < 0.18).cumsum(axis=1)
    stopped = sum(any(is_hopeless(int(path[look - 1]), look, hopeless) for look in looks_at(rows, 4)) for path in paths)
    assert stopped / rounds == pytest.approx(odds(0.18, rows, hopeless).stopped, abs=0.03)


def test_rows_drawn_without_replacement_keep_the_error_rate() -> None:
    # The planned rows are a fixed set: a candidate that reaches `below` on all of them is stopped no more often.
    rows, hopeless = 60, Hopeless(0.3, 0.05, 3)
    for survivors in (18, 20, 30):
        alive, seen = {0: 1.0}, 0
        stopped = 0.0
        for look in looks_at(rows, hopeless.looks):
            after: dict[int, float] = {}
            for before, chance in alive.items():
                drawn = stats.hypergeom(rows - seen, survivors - before, look - seen)
                for more in range(look - seen + 1):
                    after[before + more] = after.get(before + more, 0.0) + chance * float(drawn.pmf(more))
            seen = look
            stopped += sum(chance for survived, chance in after.items() if is_hopeless(survived, seen, hopeless))
            alive = {
                survived: chance
                for survived, chance in after.items()
                if chance > 0 and not is_hopeless(survived, seen, hopeless)
            }
        assert stopped <= hopeless.error_rate


def test_a_hopeless_candidate_stops_nearly_always_and_early() -> None:
    floor, close = odds(0.03, 200, Hopeless(0.3)), odds(0.28, 200, Hopeless(0.3))
    assert floor.stopped > 0.999 and floor.rows < 50
    assert close.stopped < 0.1 and close.rows > 190


@given(st.floats(0.05, 0.95), st.integers(1, 120), st.integers(1, 6))
def test_the_better_a_candidate_the_rarer_it_is_stopped(below: float, rows: int, looks: int) -> None:
    hopeless = Hopeless(below, looks=looks)
    stopped = [odds(share, rows, hopeless).stopped for share in (0.0, below / 2, below, 1.0)]
    assert all(worse >= better - 1e-12 for worse, better in itertools.pairwise(stopped))
    assert all(-1e-12 <= chance <= 1 for chance in stopped)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"below": 0.0}, "below"),
        ({"below": 1.0}, "below"),
        ({"below": 0.3, "error_rate": 0.0}, "error_rate"),
        ({"below": 0.3, "error_rate": 1.0}, "error_rate"),
        ({"below": 0.3, "looks": 0}, "looks"),
    ],
)
def test_values_that_make_no_test_are_refused(values: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Hopeless(**values)  # type: ignore[arg-type]


def test_a_share_outside_0_and_1_is_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        odds(1.2, 100, Hopeless(0.3))
