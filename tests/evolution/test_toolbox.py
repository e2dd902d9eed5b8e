from __future__ import annotations

import random

import pytest
from deap import creator, tools
from evolution.landscapes import DAG, answer, build, hilly, measurements, run, score

from rosearch.config.fitness import FitnessConfig
from rosearch.evolution.toolbox import (
    Individual,
    build_toolbox,
    objectives_individual,
    on_private_generator,
    scalar_individual,
)


@pytest.fixture
def members() -> list[Individual]:
    records = answer(build("random").ask(), 0, 1, hilly)
    config = FitnessConfig()
    scored = [(r, score(r.measurements, config, 0.9)) for r in records if r.measurements]
    return [scalar_individual(record, fitness) for record, fitness in scored]


def test_selection_draws_from_the_given_generator_alone(members: list[Individual]) -> None:
    select = on_private_generator(tools.selTournament)
    random.seed(1)
    first = select(members, 20, rng=random.Random(5), tournsize=2)
    random.seed(2)
    state = random.getstate()
    second = select(members, 20, rng=random.Random(5), tournsize=2)
    assert random.getstate() == state
    assert first == second
    assert first != select(members, 20, rng=random.Random(6), tournsize=2)


def test_the_global_generator_is_restored_where_selection_raises() -> None:
    state = random.getstate()
    with pytest.raises(IndexError):
        on_private_generator(tools.selTournament)([], 1, rng=random.Random(1), tournsize=2)
    assert random.getstate() == state


def test_the_operators_are_registered_and_bound_to_the_space(members: list[Individual]) -> None:
    toolbox = build_toolbox(DAG, scalar_individual)
    a, b = members[0].genotype, members[1].genotype
    assert DAG.is_legal(toolbox.mate(a, b, rng=random.Random(1)))
    child, done = toolbox.mutate(a, rng=random.Random(1), count=2)
    assert DAG.is_legal(child) and done.count("+") == 1


def test_the_gated_are_below_all_others_and_ordered_by_violation() -> None:
    record = answer(build("random").ask(), 0, 1, hilly)[0]
    config = FitnessConfig()
    worst = score(measurements(quality=0.72, words=0.0, compression=1.0), config, 0.9)
    near = score(measurements(quality=0.7, words=1.0, compression=20.0), config, 0.9)
    far = score(measurements(quality=0.2, words=1.0, compression=20.0), config, 0.9)
    for make in (scalar_individual, objectives_individual):
        a, b, c = (make(record, fitness).fitness for fitness in (worst, near, far))
        assert a > b > c
        assert a.dominates(b) and b.dominates(c)


def test_no_class_is_written_into_deaps_creator() -> None:
    before = set(vars(creator))
    run(build("nsga2"))
    assert set(vars(creator)) == before
