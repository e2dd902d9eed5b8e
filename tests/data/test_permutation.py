from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosearch.data.corpus import Permutation


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**63 - 1))
def test_every_place_holds_another_thing_and_all_are_there(size: int, seed: int) -> None:
    found = Permutation(size, seed)(np.arange(size))
    assert sorted(found.tolist()) == list(range(size))


@given(size=st.integers(1, 10**12), seed=st.integers(0, 99), data=st.data())
def test_any_part_of_the_order_is_computed_alone(size: int, seed: int, data: st.DataObject) -> None:
    places = np.array(data.draw(st.lists(st.integers(0, size - 1), max_size=20)), np.int64)
    order = Permutation(size, seed)
    found = order(places)
    assert found.tolist() == [order(places[i : i + 1])[0] for i in range(len(places))]
    assert all(0 <= value < size for value in found)
    assert len(set(found.tolist())) == len(set(places.tolist()))


def test_the_order_depends_on_the_seed_alone() -> None:
    places = np.arange(1000)
    assert (Permutation(1000, 1)(places) == Permutation(1000, 1)(places)).all()
    assert (Permutation(1000, 1)(places) != Permutation(1000, 2)(places)).mean() > 0.9


@pytest.mark.parametrize("size", [5, 12, 100])
def test_over_seeds_each_thing_comes_first_or_last_about_as_often(size: int) -> None:
    seeds = 200 * size
    ends = np.array([Permutation(size, seed)(np.array([0, size - 1])) for seed in range(seeds)])
    for column in ends.T:
        expected = seeds / size
        chi_squared = ((np.bincount(column, minlength=size) - expected) ** 2 / expected).sum()
        assert chi_squared < size - 1 + 6 * np.sqrt(2 * (size - 1))  # six standard deviations


def test_neighbours_do_not_stay_neighbours() -> None:
    order = Permutation(100_000, 3)(np.arange(100_000))
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(order, np.arange(100_000))[0, 1]) < 0.02


@pytest.mark.parametrize("place", [-1, 10])
def test_places_outside_are_refused(place: int) -> None:
    with pytest.raises(IndexError, match="places are 0 to 9"):
        Permutation(10, 1)(np.array([0, place]))
