"""The contract of `Strategy`, for every strategy that is listed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from evolution.landscapes import (
    DAG,
    ENCODERS,
    SMALL,
    SPACES,
    Landscape,
    Outcome,
    answer,
    build,
    evolution,
    failing,
    hilly,
    measurements,
    pending,
    run,
    run_steadily,
)

from rosearch.config.evolution import EvolutionConfig
from rosearch.config.fitness import FitnessConfig
from rosearch.errors import BadInput
from rosearch.evolution.operators import operators_of
from rosearch.evolution.registry import STRATEGIES
from rosearch.measurements import Measurements
from rosearch.records.record import Record
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.space.size_limit import SizeLimit
from rosearch.space.space import Space

FEW = replace(ENCODERS, layers=(3, 4), heads=(2,), hidden=(384,), ffn=(512, 1024), activations=("gelu", "relu"))
SPACE: dict[str, dict[str, Space]] = {
    "space": {"graphs": DAG, "encoders": ENCODERS},
    "small": {"graphs": SMALL, "encoders": FEW},
    "medium": {"graphs": load_space(SPACES / "tiny.yaml"), "encoders": replace(ENCODERS, ffn=(512, 1024))},
}
OF_GRAPHS = [name for name in STRATEGIES if name != "kd_nas"]  # it searches encoders alone


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test for every strategy and, where it asks for a space, every kind of space that the strategy searches."""
    asked_for = next((size for size in SPACE if size in metafunc.fixturenames), None)
    if "name_of_graphs" in metafunc.fixturenames:
        metafunc.parametrize("name_of_graphs", OF_GRAPHS)
    elif asked_for is None:
        metafunc.parametrize("name", STRATEGIES)
    else:
        kinds = {name: ("graphs", "encoders") if name in OF_GRAPHS else ("encoders",) for name in STRATEGIES}
        cases = [(name, kind) for name in STRATEGIES for kind in kinds[name]]
        values = [(name, SPACE[asked_for][kind]) for name, kind in cases]
        metafunc.parametrize(("name", asked_for), values, ids=[f"{name}-{kind}" for name, kind in cases])


def luck(genotype: Genotype) -> float:
    return random.Random(genotype.id).random()


def patchy(genotype: Genotype) -> Outcome:
    """A third fails, a third is better than all but not finite in one value, a third is sound."""
    if luck(genotype) < 1 / 3:
        return failing(genotype)
    sound = hilly(genotype)
    if luck(genotype) > 2 / 3:
        return sound
    spoilt = measurements(quality=1.0, words=1.0, compression=20.0)
    return replace(spoilt, quality=replace(spoilt.quality, value=math.nan))


def gated(genotype: Genotype) -> Measurements:
    """Every candidate is too weak or one-sided, by more or less, and otherwise perfect."""
    return measurements(quality=0.5 * luck(genotype), words=1.0, compression=20.0, share=1.0)


def half_gated(genotype: Genotype) -> Measurements:
    """Half predict one class only, and have the best values of all."""
    return (
        measurements(quality=1.0, words=1.0, compression=20.0, share=1.0) if luck(genotype) < 0.5 else hilly(genotype)
    )


LANDSCAPES: dict[str, Landscape] = {
    "hilly": hilly,
    "patchy": patchy,
    "gated": gated,
    "half_gated": half_gated,
    "failing": failing,
}


@pytest.fixture(params=LANDSCAPES)
def landscape(request: pytest.FixtureRequest) -> Iterator[Landscape]:
    yield LANDSCAPES[request.param]


def asked(told: list[list[Record]]) -> list[list[tuple[str, str, tuple[str, ...]]]]:
    return [[(record.id, record.origin, record.parents) for record in records] for records in told]


def test_it_asks_for_its_budget_and_never_for_an_architecture_twice(
    name: str, space: Space, landscape: Landscape
) -> None:
    strategy = build(evolution(name, candidates=37), space)
    told = run(strategy, landscape)
    ids = [record.id for records in told for record in records]
    assert len(ids) == len(set(ids)) == 37
    assert strategy.finished and strategy.ask() == []
    assert strategy.generation == len(told)


def test_every_proposal_is_legal_and_canonical(name: str, space: Space) -> None:
    for records in run(build(name, space)):
        for record in records:
            assert space.violations(record.genotype) == []
            assert record.genotype.to_json() == record.genotype.canonical().to_json()


def test_the_first_generation_is_a_population_and_the_budget_cuts_the_last(name: str) -> None:
    assert [len(records) for records in run(build(evolution(name, candidates=5)))] == [5]
    sizes = [len(records) for records in run(build(evolution(name, candidates=21)))]
    assert sizes[0] == 8
    assert sizes[-1] < sizes[1]


def test_asking_twice_gives_the_same_and_changes_nothing(name: str) -> None:
    strategy = build(name)
    first = strategy.ask()
    first_again = strategy.ask()
    first.clear()  # the caller's own list
    assert len(first_again) == 8 and strategy.ask() == first_again


def test_the_order_of_telling_does_not_matter(name: str, landscape: Landscape) -> None:
    straight, shuffled = build(name), build(name)
    rng = random.Random(1)
    first = 1
    while not straight.finished:
        proposals = straight.ask()
        assert shuffled.ask() == proposals
        records = answer(proposals, straight.generation, first, landscape)
        straight.tell(records)
        shuffled.tell(rng.sample(records, len(records)))
        first += len(records)
    assert [record.number for record in straight.best()] == [record.number for record in shuffled.best()]


def test_one_that_was_killed_goes_on_as_if_it_had_not_been(name: str, space: Space, landscape: Landscape) -> None:
    whole = build(name, space, seed=9)
    told = run(whole, landscape)
    for complete in range(len(told)):
        resumed = build(name, space, seed=9)
        for records in told[:complete]:
            # What a store gives back: equal values, other objects.
            resumed.tell([replace(r, genotype=Genotype.from_json(r.genotype.to_json())) for r in records])
        assert resumed.generation == complete
        proposals = resumed.ask()
        assert [(p.genotype.id, p.origin, p.parents) for p in proposals] == asked(told)[complete]


def test_equal_seeds_give_equal_runs_and_others_do_not(name: str, space: Space) -> None:
    assert asked(run(build(name, space, seed=4))) == asked(run(build(name, space, seed=4)))
    assert asked(run(build(name, space, seed=4))) != asked(run(build(name, space, seed=5)))


def test_the_global_generator_neither_matters_nor_moves(name: str, space: Space) -> None:
    random.seed(1)
    first = asked(run(build(name, space)))
    random.seed(2)
    state = random.getstate()
    second = asked(run(build(name, space)))
    assert random.getstate() == state
    assert first == second


def test_what_failed_or_is_not_finite_neither_wins_nor_breeds(name: str) -> None:
    strategy = build(evolution(name, candidates=60))
    records = [record for records in run(strategy, patchy) for record in records]
    sound = {record.id for record in records if luck(record.genotype) > 2 / 3}
    assert 5 < len(sound) < 55
    assert {record.id for record in strategy.best()} <= sound
    assert {record.id for record in strategy.front()} <= sound
    assert {parent for record in records for parent in record.parents} <= sound


def test_what_is_gated_never_wins(name: str) -> None:
    strategy = build(evolution(name, candidates=60))
    run(strategy, half_gated)
    assert strategy.best()
    for record in (*strategy.best(), *strategy.front()):
        assert strategy.fitnesses[record.id].eligible


def test_where_all_are_gated_nobody_wins_and_the_nearest_to_the_gate_breed(name: str) -> None:
    strategy = build(evolution(name, candidates=60))
    told = run(strategy, gated)
    assert strategy.best() == [] and strategy.front() == []
    parents = {parent for record in told[-1] for parent in record.parents}
    before = [record for records in told[:-1] for record in records]
    nearest = sorted(before, key=lambda record: strategy.fitnesses[record.id].violation)[:4]
    assert parents <= {record.id for record in nearest}
    assert bool(parents) == (name not in ("random", "kd_nas"))


def test_a_generation_that_fails_entirely_is_survived(name: str) -> None:
    strategy = build(name)
    strategy.tell(answer(strategy.ask(), 0, 1, failing))
    assert strategy.best() == [] and strategy.front() == [] and strategy.fitnesses == {}
    second = strategy.ask()
    assert second and {proposal.origin for proposal in second} == {"sample"}
    strategy.tell(answer(second, 1, 9, hilly))
    assert strategy.best() and not strategy.finished


def test_only_failures_to_the_end_is_a_clean_end_too(name: str) -> None:
    strategy = build(name)
    assert sum(map(len, run(strategy, failing))) == 24
    assert strategy.finished and strategy.best() == []


def test_a_space_smaller_than_the_budget_is_used_up_and_then_it_is_finished(
    name: str, small: Space, landscape: Landscape
) -> None:
    strategy = build(evolution(name, candidates=100), small)
    told = run(strategy, landscape)
    ids = [record.id for records in told for record in records]
    assert sorted(ids) == sorted(genotype.id for genotype in small.genotypes())
    assert strategy.finished and strategy.ask() == []


def test_a_space_of_some_hundreds_is_used_up_to_the_last(name: str, medium: Space) -> None:
    strategy = build(evolution(name, candidates=1000, population=100), medium)
    ids = [record.id for records in run(strategy) for record in records]
    assert sorted(ids) == sorted(genotype.id for genotype in medium.genotypes())


def within(most: int) -> SizeLimit:
    return SizeLimit(most, {"wordpiece": 30522}, positions=512, token_types=2, labels=2)


def test_nothing_above_a_limit_of_size_is_proposed_and_the_budget_is_spent_within_it(name: str, space: Space) -> None:
    sizes = sorted(within(1).parameters(record.genotype) for told in run(build(name, space)) for record in told)
    limit = within(sizes[len(sizes) // 3])
    records = [record for told in run(build(name, space, limit=limit)) for record in told]
    assert len(records) == 24
    assert all(limit.admits(record.genotype) for record in records)


def test_a_limit_that_leaves_nothing_finishes_a_search_before_it_begins(name: str, small: Space) -> None:
    assert build(name, small, limit=within(10)).finished


def test_named_architectures_above_a_limit_of_size_are_named_and_left_out(name: str) -> None:
    config = evolution(name, warm_start=["bert_mini", "autodistil"])
    founders = [proposal for proposal in build(config).ask() if proposal.origin.startswith("warm_start")]
    small, large = sorted(founders, key=lambda founder: within(1).parameters(founder.genotype))
    limited = build(config, limit=within(within(1).parameters(small.genotype)))
    assert [founder.origin for founder in limited.too_large] == [large.origin]
    origins = [proposal.origin for proposal in limited.ask()]
    assert small.origin in origins and large.origin not in origins


def test_winners_are_ranked_and_the_front_is_dominated_by_nobody(name: str) -> None:
    strategy = build(evolution(name, candidates=40))
    records = [record for records in run(strategy) for record in records]
    fitness = strategy.fitnesses
    eligible = {record.id for record in records if fitness[record.id].eligible}
    best = strategy.best()
    assert {record.id for record in best} == eligible
    assert best[0].id == max(eligible, key=lambda key: fitness[key].scalar)

    def dominated(key: str) -> bool:
        mine = fitness[key].objectives
        others = (fitness[other].objectives for other in eligible)
        return any(all(a >= b for a, b in zip(o, mine)) and o != mine for o in others)

    assert {record.id for record in strategy.front()} == {key for key in eligible if not dominated(key)}
    scalars = [fitness[record.id].scalar for record in strategy.front()]
    assert scalars == sorted(scalars, reverse=True)


def test_named_architectures_come_first_fitted_to_the_space(name_of_graphs: str) -> None:
    config = evolution(name_of_graphs, warm_start=["tinybert4", "nas_bert_10m"])
    first, second, *others = build(config).ask()
    assert (first.origin, second.origin) == ("warm_start:tinybert4", "warm_start:nas_bert_10m")
    assert DAG.violations(first.genotype) == [] and DAG.violations(second.genotype) == []
    assert [proposal.origin for proposal in others] == ["sample"] * 6
    told = run(build(config))
    assert sum(record.origin.startswith("warm_start") for records in told for record in records) == 2


def test_named_transformers_start_a_search_of_encoders(name: str) -> None:
    first, second, *others = build(evolution(name, warm_start=["tinybert4", "bert_mini"]), ENCODERS).ask()
    assert (first.origin, second.origin) == ("warm_start:tinybert4", "warm_start:bert_mini")
    assert ENCODERS.choice(first.genotype) == (4, 12, 384, 1024, "gelu")
    assert len(others) == 6
    with pytest.raises(BadInput, match=r"nas_bert_5m, which does not fit .* kd_nas: an encoder is a chain"):
        build(evolution(name, warm_start=["nas_bert_5m"]), ENCODERS)


def test_the_records_of_encoders_name_what_was_done_to_which_parents(name_of_graphs: str) -> None:
    name = name_of_graphs
    records = [record for records in run(build(evolution(name, candidates=60), ENCODERS)) for record in records]
    steps = {step for record in records for step in record.origin.replace("mutation:", "").split("+")}
    assert steps <= {"sample", "crossover", *operators_of(ENCODERS).mutations}
    if name in ("rosearch", "nsga2"):
        assert steps >= {"crossover", "change_layers"} and any(len(record.parents) == 2 for record in records)


def test_names_that_cannot_start_are_reported_all_at_once(name_of_graphs: str) -> None:
    config = evolution(name_of_graphs, warm_start=["tinybert4", "nobody", "autodistil"])
    with pytest.raises(BadInput) as caught:
        build(config, space=SMALL)
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["evolution.warm_start.0", "evolution.warm_start.1", "evolution.warm_start.2"]
    assert "tinybert4, which does not fit the search space small: " in caught.value.problems[0].got
    assert "bert_mini" in caught.value.problems[1].expected


def test_more_names_than_a_generation_holds_are_refused(name: str) -> None:
    config = evolution(name, candidates=1, warm_start=["tinybert4", "bert_mini"])
    with pytest.raises(BadInput, match="at most 1 names"):
        build(config)


def test_records_that_do_not_close_the_generation_are_refused(name: str) -> None:
    strategy = build(name)
    records = answer(strategy.ask(), 0, 1, hilly)
    for wrong, message in (
        ([], "without records"),
        ([replace(records[0], status="running"), *records[1:]], "still running"),
        ([replace(records[0], generation=1)], "of generation 1"),
        ([replace(records[0], role="baseline", generation=-1)], "is baseline"),
        ([records[0], records[0]], "told before"),
    ):
        with pytest.raises(ValueError, match=message):
            strategy.tell(wrong)
    strategy.tell(records)
    with pytest.raises(ValueError, match="of generation 0"):
        strategy.tell(records)
    with pytest.raises(ValueError, match="told before"):
        strategy.tell([replace(record, generation=1) for record in records])


def test_fitnesses_are_those_of_the_experiment(name: str) -> None:
    strict = build(name, fitness=FitnessConfig(min_quality=1.0), teacher_quality=1.0)
    records = answer(strict.ask(), 0, 1, hilly)
    strict.tell(records)
    assert set(strict.fitnesses) == {record.id for record in records}
    assert all(fitness.gates == ("min_quality",) for fitness in strict.fitnesses.values())


def steady(name: str, **changes: object) -> EvolutionConfig:
    return evolution(name, mode="steady", **changes)


def made(records: list[Record]) -> list[tuple[str, str, tuple[str, ...], int]]:
    return [(record.id, record.origin, record.parents, record.generation) for record in records]


@pytest.mark.parametrize("workers", [1, 7, 60])
def test_a_steady_search_spends_its_budget_and_proposes_nothing_that_is_under_way(
    name_of_graphs: str, workers: int, landscape: Landscape
) -> None:
    strategy = build(steady(name_of_graphs, candidates=50))
    records, order = run_steadily(strategy, landscape, workers)
    ids = [record.id for record in records]
    assert len(ids) == len({*ids}) == len(order) == 50
    assert strategy.finished and strategy.ask_one() is None
    for record in records:
        assert DAG.violations(record.genotype) == []
        assert record.genotype.to_json() == record.genotype.canonical().to_json()


def test_asking_again_before_anything_is_begun_or_told_gives_the_same(name_of_graphs: str) -> None:
    strategy = build(steady(name_of_graphs, candidates=50))
    run_steadily(strategy, most=20)
    first = strategy.ask_one()
    assert first is not None and not strategy.finished and strategy.ask_one() == first


def test_the_same_seed_and_the_same_order_of_outcomes_give_the_same_steady_search(name_of_graphs: str) -> None:
    def made_with(seed: int, order: int) -> list[tuple[str, str, tuple[str, ...], int]]:
        return made(run_steadily(build(steady(name_of_graphs, candidates=40), seed=seed), seed=order)[0])

    assert made_with(4, 1) == made_with(4, 1) != made_with(5, 1)
    if name_of_graphs != "random":  # whose samples know nothing of outcomes
        assert made_with(4, 1) != made_with(4, 2)


@pytest.mark.parametrize("told", [0, 1, 13, 25, 39])
def test_a_steady_search_is_rebuilt_from_its_records_and_the_order_of_its_outcomes(
    name_of_graphs: str, landscape: Landscape, told: int
) -> None:
    whole, resumed = (build(steady(name_of_graphs, candidates=40), seed=9) for _ in range(2))
    records, order = run_steadily(whole, landscape, most=told)
    for record in records:
        resumed.begin(pending(record))
    by_number = {record.number: record for record in records}
    for number in order:  # equal values, other objects
        resumed.tell_one(replace(by_number[number], genotype=Genotype.from_json(by_number[number].genotype.to_json())))
    first, again = whole.ask_one(), resumed.ask_one()
    assert first == again and resumed.finished == whole.finished
    assert [r.number for r in resumed.best()] == [r.number for r in whole.best()]


def test_a_steady_search_breeds_from_what_is_told_without_waiting_for_a_generation(name_of_graphs: str) -> None:
    records, order = run_steadily(build(steady(name_of_graphs, candidates=60)), workers=5)
    assert {record.origin for record in records[:8]} == {"sample"}  # of a population
    place = {number: index for index, number in enumerate(order)}
    known = {record.id: place[record.number] for record in records}
    bred = [record for record in records if record.parents]
    assert bool(bred) == (name_of_graphs != "random")
    for record in bred:
        assert all(known[parent] < record.generation for parent in record.parents)  # over when it was proposed


def test_what_failed_or_is_not_finite_neither_wins_nor_breeds_in_a_steady_search(name_of_graphs: str) -> None:
    strategy = build(steady(name_of_graphs, candidates=60))
    records, _ = run_steadily(strategy, patchy)
    sound = {record.id for record in records if luck(record.genotype) > 2 / 3}
    assert {record.id for record in strategy.best()} <= sound
    assert {parent for record in records for parent in record.parents} <= sound


def test_a_steady_search_uses_a_small_space_up(name_of_graphs: str) -> None:
    strategy = build(steady(name_of_graphs, candidates=100), SMALL)
    records, _ = run_steadily(strategy)
    assert sorted(record.id for record in records) == sorted(genotype.id for genotype in SMALL.genotypes())
    assert strategy.finished


def test_a_steady_search_begins_with_its_founders_and_keeps_below_its_limit_of_size(name_of_graphs: str) -> None:
    records, _ = run_steadily(build(steady(name_of_graphs, warm_start=["tinybert4", "nas_bert_10m"])))
    assert [r.origin for r in records[:2]] == ["warm_start:tinybert4", "warm_start:nas_bert_10m"]
    sizes = sorted(within(1).parameters(record.genotype) for record in records)
    limit = within(sizes[len(sizes) // 3])
    limited, _ = run_steadily(build(steady(name_of_graphs), limit=limit))
    assert len(limited) == 24 and all(limit.admits(record.genotype) for record in limited)
    assert build(steady(name_of_graphs), SMALL, limit=within(10)).finished


def test_patience_ends_a_steady_search_and_an_outcome_on_its_way_may_let_it_go_on(name_of_graphs: str) -> None:
    strategy = build(steady(name_of_graphs, candidates=40, patience=3))
    records = [*run_steadily(strategy, workers=6, most=1)[0]]
    waiting = [record for record in records if record.status == "pending"]
    worse = measurements(quality=0.1)
    for record in waiting[:4]:
        strategy.tell_one(replace(record, status="done", measurements=worse))
    assert strategy.stands_still and strategy.ask_one() is None and not strategy.finished
    best = measurements(quality=1.0, under_attack=1.0, words=1.0, compression=50.0)
    strategy.tell_one(replace(waiting[4], status="done", measurements=best))
    assert not strategy.stands_still and strategy.ask_one() is not None


def test_outcomes_that_a_steady_search_does_not_wait_for_are_refused(name_of_graphs: str) -> None:
    strategy = build(steady(name_of_graphs))
    records, order = run_steadily(strategy, most=3)
    waiting = next(record for record in records if record.status == "pending")
    for wrong in (records[order[0] - 1], waiting):
        with pytest.raises(ValueError, match="expected the outcome of one under way"):
            strategy.tell_one(wrong)
    with pytest.raises(ValueError, match="was begun before"):
        strategy.begin(waiting)


def test_a_strategy_whose_episodes_are_generations_says_that_it_is_not_steady(name: str) -> None:
    if name in OF_GRAPHS:
        assert steady(name).mode == "steady"
        return
    with pytest.raises(ValueError, match="generational for kd_nas, whose episodes are generations"):
        steady(name)


@pytest.mark.parametrize("mode", ["generational", "steady"])
def test_a_first_parent_was_among_the_breeding_and_who_leaves_them_never_returns(
    name_of_graphs: str, mode: str, landscape: Landscape
) -> None:
    """A run deletes the weights of who breeds no more, and a child starts with those of its first parent."""
    strategy = build(evolution(name_of_graphs, mode=mode, candidates=24))
    left: set[str] = set()
    told = 0
    while not strategy.finished:
        breeding = strategy.breeding
        proposals = strategy.ask() if mode == "generational" else list(filter(None, [strategy.ask_one()]))
        assert {proposal.parents[0] for proposal in proposals if proposal.parents} <= breeding
        records = answer(proposals, strategy.generation, told + 1, landscape)
        told += len(records)
        if mode == "generational":
            strategy.tell(records)
        else:
            strategy.begin(pending(records[0]))
            strategy.tell_one(records[0])
        assert not left & strategy.breeding
        left |= breeding - strategy.breeding
    assert told == 24 and len(strategy.breeding) <= 8 + 8 // 2
