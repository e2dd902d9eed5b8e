from __future__ import annotations

import random
from dataclasses import replace

import networkx as nx
import pytest
from evolution.landscapes import DAG, ENCODERS, SMALL, SPACES
from hypothesis import given, settings
from hypothesis import strategies as st

from rosearch.evolution.crossover import cross
from rosearch.evolution.operators import operators_of
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.space.node import Node
from rosearch.space.space import Space

NARROW = replace(DAG, name="narrow", min_parameters=9_000_000, max_parameters=10_000_000)
INPUT = load_space(SPACES / "robust_input.yaml")
TRAINING = load_space(SPACES / "robust_training.yaml")
TINY = load_space(SPACES / "tiny.yaml")
SPACE = {"dag": DAG, "narrow": NARROW, "training": TRAINING, "tiny": TINY, "small": SMALL, "encoders": ENCODERS}


def renumbered(genotype: Genotype, rng: random.Random) -> Genotype:
    """The same architecture in a random topological order."""
    names = {name: rng.random() for name in genotype.graph}
    order = list(nx.lexicographical_topological_sort(genotype.graph, key=names.__getitem__))
    shuffled = nx.DiGraph(**genotype.graph.graph)
    shuffled.add_nodes_from((name, genotype.graph.nodes[name]) for name in order)
    shuffled.add_edges_from(genotype.graph.edges(data=True))
    return Genotype.from_graph(nx.relabel_nodes(shuffled, {name: f"n{at}" for at, name in enumerate(order)}))


def chain(op: str, length: int, **setting: int) -> Genotype:
    nodes = tuple(Node.of(op, (position,), **setting) for position in range(length))
    return Genotype(256, 128, "mean", nodes)


@pytest.mark.parametrize("space", SPACE.values(), ids=SPACE)
@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_a_child_is_legal_repeatable_and_touches_nothing_else(space: Space, seed: int) -> None:
    rng = random.Random(seed)
    a, b, crossover = space.sample(rng), space.sample(rng), operators_of(space).cross
    before, state = (a.to_json(), b.to_json()), random.getstate()
    child = crossover(a, b, random.Random(seed))
    again = crossover(a, b, random.Random(seed))
    assert random.getstate() == state
    assert (a.to_json(), b.to_json()) == before
    assert space.violations(child) == []
    assert again.to_json() == child.to_json()


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_a_child_does_not_depend_on_how_its_parents_are_numbered(seed: int) -> None:
    rng = random.Random(seed)
    a, b = DAG.sample(rng), DAG.sample(rng)
    child = cross(a, b, DAG, random.Random(seed))
    assert cross(renumbered(a, rng), renumbered(b, rng), DAG, random.Random(seed)).id == child.id


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_a_child_carries_nodes_of_its_parents_and_of_nobody_else(seed: int) -> None:
    rng = random.Random(seed)
    a, b = DAG.sample(rng), DAG.sample(rng)
    child = cross(a, b, DAG, rng)
    assert {node.op for node in child.nodes} <= {node.op for node in (*a.nodes, *b.nodes)}
    assert child.width in (a.width, b.width)
    assert child.pooling in (a.pooling, b.pooling)


@pytest.mark.parametrize("seed", range(20))
def test_chains_of_equal_length_exchange_a_run_at_the_same_place(seed: int) -> None:
    child = cross(chain("conv", 8, kernel=3), chain("glu", 8), DAG, random.Random(seed))
    assert [node.inputs for node in child.nodes] == [(position,) for position in range(8)]
    ops = [node.op for node in child.nodes]
    assert set(ops) == {"conv", "glu"}
    first, last = ops.index("glu"), len(ops) - ops[::-1].index("glu")
    assert ops[first:last] == ["glu"] * (last - first)


@pytest.mark.parametrize("seed", range(20))
def test_of_unequal_chains_the_run_of_the_same_relative_depth_comes_over(seed: int) -> None:
    child = cross(chain("conv", 4, kernel=3), chain("glu", 12), DAG, random.Random(seed))
    ops = [node.op for node in child.nodes]
    assert 3 * (4 - ops.count("conv")) == ops.count("glu")
    assert nx.dag_longest_path_length(child.graph) == len(ops)


def test_most_pairs_of_the_main_space_have_a_child_unlike_both() -> None:
    rng = random.Random(11)
    pairs = [(DAG.sample(rng), DAG.sample(rng)) for _ in range(100)]
    new = [child.id not in (a.id, b.id) for a, b in pairs for child in [cross(a, b, DAG, rng)]]
    assert sum(new) > 95


def test_a_child_has_the_source_of_one_parent_and_either_may_be_the_one() -> None:
    a = chain("conv", 8, kernel=3).with_(source=(("characters", "cnn"), ("token_dropout", 0.1)))
    b = chain("glu", 8).with_(source=(("encoding", "typos"),))
    sources = {cross(a, b, INPUT, random.Random(seed)).source for seed in range(20)}
    assert sources == {a.source, b.source}


def test_parents_that_allow_no_other_child_give_the_first() -> None:
    lonely = replace(SMALL, max_nodes=1, operations={"glu": {}})
    only = lonely.sample(random.Random(1))
    assert cross(only, only, lonely, random.Random(1)) == only
