from __future__ import annotations

from evolution.landscapes import DAG, hilly

from rosearch.config.fitness import FitnessConfig
from rosearch.evolution.fitness import Yardstick
from tests.benchmarks.few_candidates import REFERENCE, STRATEGIES, Ground, compared
from tests.benchmarks.landscape import hypervolume

HILLY = Ground(DAG, Yardstick(FitnessConfig(), 0.9), hilly, lambda front: hypervolume(front, REFERENCE))


def test_more_candidates_find_more_and_the_default_stands_beside_the_search_without_a_surrogate() -> None:
    found = compared([4, 12], [1, 2, 3], {"hilly": HILLY})["hilly"]
    for strategy in STRATEGIES:
        few, many = found["4"][strategy], found["12"][strategy]
        assert few == sorted(few) and 0 < few[1] < many[1]
    assert 0 < found["12"]["p_holm"] <= 1 == found["4"]["p_holm"]  # nothing is learnt from four


def test_equal_seeds_find_the_same() -> None:
    assert HILLY.found("rosearch", 10, 5) == HILLY.found("rosearch", 10, 5) != HILLY.found("rosearch", 10, 6)
