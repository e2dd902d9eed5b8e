from __future__ import annotations

import random
from pathlib import Path

from rosearch.evolution.mutation import MUTATIONS
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.space.node import Node
from rosearch.space.search_space import SearchSpace
from rosearch.student.node_pairs import matched_nodes, stand_ins

SPACES = Path(__file__).parents[2] / "search_spaces"

A, F, G = Node.of("attention", heads=4), Node.of("ffn", ratio=2.0), Node.of("glu")


def row(*nodes: Node) -> Genotype:
    return Genotype(64, 32, "mean", tuple(node.with_(inputs=(place,)) for place, node in enumerate(nodes)))


def matched(child: Genotype, parent: Genotype) -> tuple[int, ...]:
    return matched_nodes(child.to_dict()["nodes"], parent.to_dict()["nodes"])


def test_a_graph_matches_itself_in_its_order() -> None:
    twice = row(A, F, A, F)
    assert matched(twice, twice) == (1, 2, 3, 4)


def test_a_node_between_others_is_new_and_those_behind_it_are_found() -> None:
    assert matched(row(A, G, F, A, F), row(A, F, A, F)) == (1, 0, 2, 3, 4)
    assert matched(row(A, F, A), row(A, F, G, A)) == (1, 2, 4)


def test_of_equal_operations_the_one_with_the_same_surroundings_is_found() -> None:
    assert matched(row(G, F, A, F), row(A, F, G, F, A, F)) == (3, 4, 5, 6)


def test_other_settings_match_where_nothing_nearer_is_left() -> None:
    other = Node.of("attention", heads=8)
    assert matched(row(other, F), row(A, F)) == (1, 2)
    assert matched(row(other, A), row(A)) == (0, 1)


def test_another_operation_never_matches() -> None:
    assert matched(row(G), row(A)) == (0,)


def test_a_branch_keeps_its_match_when_the_other_grows() -> None:
    parent = Genotype(64, 32, "mean", (A, G, F.with_(inputs=(1, 2))))
    child = Genotype(
        64, 32, "mean", (G, G.with_(inputs=(0,)), A.with_(inputs=(1,)), F.with_(inputs=(2, 3)))
    ).canonical()
    found = matched(child, parent.canonical())
    ops = [node.op for node in child.nodes]
    assert sum(bool(given) for given in found) == 3 and found[ops.index("ffn")] and found[ops.index("attention")]


def test_a_new_node_stands_for_the_input_that_it_gives_on() -> None:
    child = row(A, G, F)
    assert stand_ins(child.to_dict()["nodes"], (1, 0, 2)) == [0, 1, 1, 2]
    merge = Genotype(64, 32, "mean", (A, G.with_(inputs=(0, 1)), F.with_(inputs=(2,))))
    assert stand_ins(merge.to_dict()["nodes"], (1, 0, 2)) == [0, 1, None, 2]


def test_after_any_mutation_no_node_is_given_twice_and_few_are_new() -> None:
    space = load_space(SPACES / "robust_dag.yaml")
    assert isinstance(space, SearchSpace)
    rng = random.Random(1)
    for _ in range(5):
        parent = space.sample(rng).canonical()
        for name, mutation in MUTATIONS.items():
            if (child := mutation(parent, space, rng)) is None:
                continue
            found = matched(child.canonical(), parent)
            given = [place for place in found if place]
            assert len(given) == len(set(given)) and max(given, default=0) <= len(parent.nodes)
            assert found.count(0) <= 1, name
