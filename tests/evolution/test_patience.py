from __future__ import annotations

import pytest
from evolution.landscapes import build, evolution, hilly, run

from rosearch.evolution.fitness import Fitness
from rosearch.evolution.patience import Standstill
from rosearch.space.genotype import Genotype


def fitness(robustness: float, accuracy: float = 0.5, *, gated: bool = False) -> Fitness:
    scalar = robustness + accuracy
    return Fitness(robustness, accuracy, 0.5, scalar, ("min_quality",) if gated else (), 0.1 if gated else 0.0)


def count(standstill: Standstill, *candidates: Fitness | None) -> list[bool]:
    reached = []
    for candidate in candidates:
        standstill.add(candidate)
        reached.append(standstill.reached)
    return reached


def test_it_is_reached_once_so_many_candidates_have_not_raised_the_best() -> None:
    told = [fitness(0.2), fitness(0.1), fitness(0.3), fitness(0.3), None, fitness(0.9, gated=True)]
    assert count(Standstill(3, fronts=False), *told) == [False] * 5 + [True]


def test_nothing_is_counted_before_a_candidate_has_passed_the_gates() -> None:
    gated = [fitness(0.9, gated=True)] * 5
    assert count(Standstill(2, fronts=False), *gated, fitness(0.1), None, None) == [False] * 7 + [True]


def test_a_front_moves_where_a_candidate_is_better_in_one_thing_alone() -> None:
    told = [fitness(0.5, 0.5), fitness(0.1, 0.6), fitness(0.4, 0.55), fitness(0.5, 0.5), fitness(0.05, 0.5)]
    assert count(Standstill(2, fronts=True), *told) == [False] * 4 + [True]
    assert count(Standstill(2, fronts=False), *told)[:3] == [False, False, True]


def test_without_patience_it_is_never_reached() -> None:
    assert not any(count(Standstill(None, fronts=False), *[fitness(0.5)] * 50))


@pytest.mark.parametrize("name", ["rosearch", "nsga2", "random"])
def test_a_search_ends_at_the_generation_in_which_its_patience_is_spent(name: str) -> None:
    def flat(genotype: Genotype) -> object:
        return hilly(first)

    first = build(name).ask()[0].genotype
    strategy = build(evolution(name, candidates=100, patience=10))
    told = run(strategy, flat)  # type: ignore[arg-type]
    assert strategy.stands_still and strategy.finished and strategy.ask() == []
    counts = [sum(map(len, told[:generation])) for generation in range(1, len(told) + 1)]
    assert counts[-2] < 11 <= counts[-1] < 100


def test_a_search_that_spends_its_candidates_does_not_end_for_want_of_patience() -> None:
    strategy = build(evolution("random", candidates=16, patience=1))
    run(strategy)
    assert strategy.finished
    whole = build(evolution("random", candidates=8, patience=100))
    run(whole)
    assert whole.finished and not whole.stands_still
