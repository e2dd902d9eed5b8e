from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from evolution.landscapes import DAG, ENCODERS, SMALL, SPACES
from hypothesis import given, settings
from hypothesis import strategies as st

from rosearch.evolution.crossover import cross
from rosearch.evolution.mutation import MUTATIONS, mutations_of
from rosearch.evolution.operators import mutate, operators_of
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.space.node import Node
from rosearch.space.search_space import SearchSpace
from rosearch.space.space import Space

NARROW = replace(DAG, name="narrow", min_parameters=9_000_000, max_parameters=10_000_000)
INPUT = load_space(SPACES / "robust_input.yaml")
TRAINING = load_space(SPACES / "robust_training.yaml")
TINY = load_space(SPACES / "tiny.yaml")
SPACE = {"dag": DAG, "narrow": NARROW, "training": TRAINING, "tiny": TINY, "small": SMALL, "encoders": ENCODERS}
CASES = [(name, space) for space in SPACE.values() for name in operators_of(space).mutations]
OPTIONAL = {"change_source", "change_training"}
SEEDS = st.integers(0, 2**32)


def drawn(space: Space, seed: int) -> Genotype:
    return space.sample(random.Random(seed))


@pytest.mark.parametrize(("name", "space"), CASES, ids=[f"{name}-{space.name}" for name, space in CASES])
@settings(max_examples=25)
@given(seed=SEEDS)
def test_a_mutation_is_legal_new_repeatable_and_touches_nothing_else(name: str, space: Space, seed: int) -> None:
    parent, mutation = drawn(space, seed), operators_of(space).mutations[name]
    before, state = parent.to_json(), random.getstate()
    child = mutation(parent, random.Random(seed))
    again = mutation(parent, random.Random(seed))
    assert random.getstate() == state
    assert parent.to_json() == before
    if child is None:
        assert again is None
        return
    assert space.violations(child) == []
    assert child.id != parent.id
    assert again is not None and again.to_json() == child.to_json()


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_applies_to_most_genotypes_of_the_main_space(name: str) -> None:
    rng, space = random.Random(3), TRAINING if name in OPTIONAL else DAG
    children = [MUTATIONS[name](space.sample(rng), space, rng) for _ in range(60)]
    assert sum(child is not None for child in children) > 40


@settings(max_examples=40)
@given(seed=SEEDS, count=st.integers(1, 5), space=st.sampled_from([DAG, ENCODERS]))
def test_many_mutations_in_a_row_stay_legal_and_say_what_was_done(seed: int, count: int, space: Space) -> None:
    child, names = mutate(drawn(space, seed), operators_of(space), random.Random(seed), count)
    assert space.violations(child) == []
    assert len(names.split("+")) == count
    assert set(names.split("+")) <= set(operators_of(space).mutations)


def operations(genotype: Genotype) -> Counter[tuple[str, tuple[tuple[str, object], ...]]]:
    return Counter((node.op, node.settings) for node in genotype.nodes)


def wiring(genotype: Genotype) -> list[tuple[tuple[int, ...], str]]:
    return [(node.inputs, node.merge) for node in genotype.nodes]


def frame(genotype: Genotype) -> tuple[int, int, str]:
    return genotype.width, genotype.rank, genotype.pooling


def children(name: str, space: SearchSpace = DAG) -> list[tuple[Genotype, Genotype]]:
    rng = random.Random(5)
    parents = [space.sample(rng) for _ in range(40)]
    pairs = [(parent, MUTATIONS[name](parent, space, rng)) for parent in parents]
    return [(parent, child) for parent, child in pairs if child is not None]


def test_replacing_an_operation_changes_one_node_and_keeps_the_wiring() -> None:
    for parent, child in children("replace_operation"):
        assert wiring(child) == wiring(parent) and frame(child) == frame(parent)
        changed = [(a.op, b.op) for a, b in zip(parent.nodes, child.nodes, strict=True) if a != b]
        assert len(changed) == 1 and changed[0][0] != changed[0][1]


def test_changing_a_setting_changes_one_value_of_one_node() -> None:
    for parent, child in children("change_setting"):
        assert wiring(child) == wiring(parent) and frame(child) == frame(parent)
        assert [node.op for node in child.nodes] == [node.op for node in parent.nodes]
        pairs = zip(parent.nodes, child.nodes, strict=True)
        assert sum(len(set(a.settings) - set(b.settings)) for a, b in pairs) == 1


def test_rewiring_changes_the_inputs_or_the_merge_of_one_node_in_each_of_four_ways() -> None:
    kinds = set()
    for parent, child in children("rewire_input"):
        assert operations(child) == operations(parent) and frame(child) == frame(parent)
        ((a, b),) = [(a, b) for a, b in zip(parent.nodes, child.nodes, strict=True) if a != b]
        kinds.add("merge" if a.inputs == b.inputs else len(b.inputs) - len(a.inputs))
    assert kinds == {"merge", -1, 0, 1}


def test_inserting_adds_one_node_to_those_that_are_there() -> None:
    for parent, child in children("insert_node"):
        assert len(child.nodes) == len(parent.nodes) + 1 and frame(child) == frame(parent)
        assert operations(parent) <= operations(child)


def test_deleting_takes_one_node_away_and_leaves_no_reader_without_input() -> None:
    for parent, child in children("delete_node"):
        assert len(child.nodes) == len(parent.nodes) - 1 and frame(child) == frame(parent)
        assert operations(child) <= operations(parent)


def test_deleting_from_a_chain_closes_the_gap() -> None:
    chain = Genotype(256, 128, "mean", tuple(Node.of("conv", (at,), kernel=k) for at, k in enumerate((3, 5, 7, 3, 5))))
    child = MUTATIONS["delete_node"](chain, DAG, random.Random(2))
    assert child is not None
    assert [node.inputs for node in child.nodes] == [(0,), (1,), (2,), (3,)]


def test_swapping_keeps_the_operations_and_the_wiring() -> None:
    for parent, child in children("swap_nodes"):
        assert operations(child) == operations(parent)
        assert wiring(child) == wiring(parent) and frame(child) == frame(parent)


def test_width_rank_and_pooling_change_alone_but_for_what_no_longer_fits() -> None:
    for parent, child in children("change_width"):
        assert child.width != parent.width and child.rank <= parent.rank and wiring(child) == wiring(parent)
        for a, b in zip(parent.nodes, child.nodes, strict=True):
            assert a == b or (a.op == b.op == "attention" and child.width % int(a.setting["heads"]))
    for parent, child in children("change_rank"):
        assert child.rank != parent.rank and child.nodes == parent.nodes and child.width == parent.width
    for parent, child in children("change_pooling"):
        assert child.pooling != parent.pooling and child.nodes == parent.nodes


def test_changing_the_source_changes_one_of_its_settings_alone() -> None:
    changed = set()
    for parent, child in children("change_source", INPUT):
        assert child.nodes == parent.nodes and frame(child) == frame(parent)
        ours, theirs = parent.source_setting, child.source_setting
        (name,) = [name for name in ours if ours[name] != theirs[name]]
        changed.add(name)
    assert changed == set(INPUT.source)


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_other_mutation_leaves_source_and_training_as_they_are(name: str) -> None:
    pairs = children(name, TRAINING)
    assert pairs and all(parent.training for parent, _ in pairs) and any(parent.source for parent, _ in pairs)
    if name != "change_source":
        assert all(child.source == parent.source for parent, child in pairs)
    if name != "change_training":
        assert all(child.training == parent.training for parent, child in pairs)


def test_changes_of_source_and_training_are_drawn_only_where_the_space_has_a_choice() -> None:
    assert mutations_of(DAG) == sorted(set(MUTATIONS) - OPTIONAL)
    assert mutations_of(INPUT) == sorted(set(MUTATIONS) - {"change_training"})
    assert mutations_of(TRAINING) == sorted(MUTATIONS)
    fixed = replace(DAG, source={**DAG.source, "characters": ("cnn",)}, training={"robust_kd.average": (0.998,)})
    assert mutations_of(fixed) == mutations_of(DAG)
    parent = drawn(TRAINING, 1)
    names = {mutate(parent, operators_of(TRAINING), random.Random(seed))[1] for seed in range(80)}
    assert names >= OPTIONAL


def test_a_space_without_sources_mutates_as_it_did_before_there_were_any() -> None:
    # Runs are repeated by their seeds.
    rng = random.Random(5)
    a, b = DAG.sample(rng), DAG.sample(rng)
    child, names = mutate(a, operators_of(DAG), rng, 3)
    assert (child.id, names) == ("fe3104e250d8f8f3", "change_rank+change_pooling+change_pooling")
    assert cross(a, b, DAG, rng).id == "ef31a81420c15de8"


def test_a_space_of_one_genotype_has_no_mutations() -> None:
    lonely = replace(SMALL, max_nodes=1, operations={"glu": {}})
    only = drawn(lonely, 1)
    assert all(mutation(only, lonely, random.Random(1)) is None for mutation in MUTATIONS.values())
    assert mutate(only, operators_of(lonely), random.Random(1), 3) == (only, "")


def test_every_genotype_of_a_small_space_is_reached_by_mutations_from_any_other() -> None:
    reached = {drawn(SMALL, 1)}
    rng = random.Random(1)
    for _ in range(300):
        reached.add(mutate(rng.choice(sorted(reached, key=lambda g: g.id)), operators_of(SMALL), rng)[0])
    assert len(reached) == 9
