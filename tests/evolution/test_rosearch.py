from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from evolution.landscapes import Landscape, answer, build, evolution, hilly, measurements, run, run_steadily
from scipy.stats import mannwhitneyu

from rosearch.evolution.rosearch import _times
from rosearch.evolution.surrogates.architecture import features, table
from rosearch.measurements import Measurements
from rosearch.space.genotype import Genotype


def best_scalar(strategy: str, seed: int, **changes: object) -> float:
    search = build(evolution(strategy, candidates=64, **changes), seed=seed)
    run(search)
    return search.fitnesses[search.best()[0].id].scalar


def test_it_beats_random_at_equal_budget() -> None:
    evolved = [best_scalar("rosearch", seed, surrogate="none") for seed in range(20)]
    sampled = [best_scalar("random", seed) for seed in range(100, 120)]  # other seeds: no shared founders
    assert mannwhitneyu(evolved, sampled, alternative="greater").pvalue < 0.01


def test_later_generations_are_smaller_by_the_elite() -> None:
    assert [len(records) for records in run(build(evolution("rosearch", surrogate="none", elite=3)))] == [8, 5, 5, 5, 1]


def falling(first: set[str]) -> Landscape:
    """Those of the first generation are good, the rest is poor."""

    def landscape(genotype: Genotype) -> Measurements:
        return hilly(genotype) if genotype.id in first else measurements(quality=0.75, words=0.0, compression=1.0)

    return landscape


def test_the_elite_goes_on_breeding_while_nobody_is_better() -> None:
    strategy = build(evolution("rosearch", surrogate="none", candidates=50, tournament=2))
    first = {proposal.genotype.id for proposal in strategy.ask()}
    told = run(strategy, falling(first))
    elite = {record.id for record in strategy.best()[:2]}
    assert elite <= first
    for newest, records in pairwise(told[2:]):
        parents = {parent for record in records for parent in record.parents}
        assert parents <= elite | {record.id for record in newest}
        assert parents & elite


def test_a_tournament_of_many_lets_only_the_best_breed() -> None:
    strategy = build(evolution("rosearch", surrogate="none", tournament=200))
    strategy.tell(answer(strategy.ask(), 0, 1, hilly))
    best = strategy.best()[0].id
    proposals = strategy.ask()
    assert {proposal.parents for proposal in proposals} == {(best,)}
    assert all(proposal.origin.startswith("mutation:") for proposal in proposals)


def test_children_name_what_made_them() -> None:
    only_crossed = build(evolution("rosearch", surrogate="none", crossover_probability=1.0, tournament=1))
    only_mutated = build(evolution("rosearch", surrogate="none", crossover_probability=0.0, mutations=1))
    crossed = [record for records in run(only_crossed)[1:] for record in records]
    mutated = [record for records in run(only_mutated)[1:] for record in records]
    two = [record for record in crossed if len(record.parents) == 2]
    assert len(two) > len(crossed) / 2
    assert all(record.origin.startswith("crossover") for record in two)
    assert all(record.origin.startswith("mutation:") and len(record.parents) == 1 for record in mutated)


def test_a_first_generation_is_spread_over_the_space() -> None:
    def distance(**changes: object) -> float:
        told = [features(proposal.genotype) for proposal in build(evolution("rosearch", **changes)).ask()]
        rows = table(told, sorted(set().union(*told)))
        return min(float(np.linalg.norm(a - b)) for a, b in combinations(rows, 2))

    assert distance() > distance(surrogate="none")


def test_a_large_generation_is_chosen_from_two_for_each_place_and_a_small_one_from_more() -> None:
    assert [_times(count, 16) for count in (1, 8, 64, 128, 1000)] == [16, 128, 1024, 1024, 2000]


def test_a_steady_search_learns_anew_after_each_half_of_a_population() -> None:
    strategy = build(evolution("rosearch", candidates=40, mode="steady"))
    run_steadily(strategy, most=23)
    known = strategy._foresight
    strategy.ask_one()
    assert known is not None and strategy._foresight is known and strategy._learnt == 20
