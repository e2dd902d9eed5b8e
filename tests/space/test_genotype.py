from __future__ import annotations

import dataclasses

import networkx as nx
import pytest

from rosearch.space.genotype import MAX_NODES, Genotype, chain
from rosearch.space.node import SOURCE, Node
from rosearch.space.rules import structural_problems

ATTENTION = Node.of("attention", heads=4, conv=False)
GENOTYPE = Genotype(
    256,
    128,
    "mean",
    (
        ATTENTION,
        Node.of("ffn", (1,), ratio=2.0, activation="gelu"),
        Node.of("conv", (0, 1), "concat", kernel=3),
        Node.of("glu", (3, 3), "gate"),
    ),
)


def test_a_genotype_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GENOTYPE.width = 128
    with pytest.raises(dataclasses.FrozenInstanceError):
        GENOTYPE.nodes[0].op = "glu"
    with pytest.raises(nx.NetworkXError):
        GENOTYPE.graph.add_edge(1, 4)
    GENOTYPE.nodes[0].setting["heads"] = 8
    assert GENOTYPE.nodes[0].setting == {"heads": 4, "conv": False}


def test_the_graph_carries_operations_settings_merges_ports_and_shape():
    graph = GENOTYPE.graph
    assert graph.graph == {"width": 256, "rank": 128, "pooling": "mean"}
    assert graph.nodes[SOURCE]["op"] == "source"
    assert graph.nodes[1] == {"op": "attention", "settings": (("conv", False), ("heads", 4)), "merge": "add"}
    assert {edge: data["ports"] for *edge, data in graph.edges(data=True) for edge in [tuple(edge)]} == {
        (0, 1): (0,),
        (1, 2): (0,),
        (0, 3): (0,),
        (1, 3): (1,),
        (3, 4): (0, 1),
    }
    assert nx.is_directed_acyclic_graph(graph)


def test_the_sinks_are_the_nodes_that_nobody_reads():
    assert GENOTYPE.sinks == (2, 4)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ((), "at least one node"),
        ((ATTENTION.with_(inputs=()),), "node 1 .attention. reads nothing"),
        ((ATTENTION.with_(inputs=(1,)),), r"reads 1: only 0\.\.0"),
        ((ATTENTION, ATTENTION.with_(inputs=(3,)), ATTENTION), r"node 2 .attention. reads 3: only 0\.\.1"),
        ((ATTENTION.with_(inputs=(-1,)),), "reads -1"),
    ],
)
def test_nodes_that_are_no_dag_in_order_are_refused(nodes, said):
    with pytest.raises(ValueError, match=said):
        Genotype(64, 32, "mean", nodes)


def test_a_graph_with_a_cycle_or_without_one_source_is_refused():
    cyclic = nx.DiGraph(width=64, rank=32, pooling="mean")
    cyclic.add_node("s", op="source")
    for name in "ab":
        cyclic.add_node(name, op="glu", settings=(), merge="add")
    cyclic.add_edges_from([("s", "a"), ("a", "b"), ("b", "a")], ports=(0,))
    with pytest.raises(ValueError, match="cycle"):
        Genotype.from_graph(cyclic)
    for count in (0, 2):
        graph = nx.DiGraph(width=64, rank=32, pooling="mean")
        graph.add_nodes_from(range(count), op="source")
        with pytest.raises(ValueError, match=f"{count} sources"):
            Genotype.from_graph(graph)


@pytest.mark.parametrize(
    "text",
    [
        '{"rank": 32, "pooling": "mean", "nodes": [{"op": "glu"}]}',
        '{"width": 64, "rank": 32, "pooling": "mean", "nodes": ["glu"]}',
        '{"width": "wide", "rank": 32, "pooling": "mean", "nodes": [{"op": "glu"}]}',
        '{"width": 64, "rank": 32, "pooling": "mean", "nodes": []}',
        '{"width": 64, "rank": 32, "pooling": "mean", "nodes": [{"op": "glu", "inputs": ["a"]}]}',
        '{"width": 64.5, "rank": 32, "pooling": "mean", "nodes": [{"op": "glu"}]}',
        '{"width": true, "rank": 32, "pooling": "mean", "nodes": [{"op": "glu"}]}',
        '{"width": 64, "rank": 32, "pooling": ["mean"], "nodes": [{"op": "glu"}]}',
        '{"width": 64, "rank": 32, "pooling": "mean", "nodes": [{"op": ["glu"]}]}',
        '{"width": 64, "rank": 32, "pooling": "mean", "nodes": [{"op": "glu", "merge": {}}]}',
        '{"width": 64, "rank": 32, "pooling": "mean", "nodes": [{"op": "glu", "inputs": [0.0]}]}',
        '{"width": 64, "rank": 32, "pooling": "mean", "nodes": [{"op": "glu", "inputs": "0"}]}',
        '{"width": 64, "rank": 32, "pooling": "mean", "nodes": [{"op": "glu", "settings": {"a": [1]}}]}',
        '{"width": 64, "rank": 32, "pooling": "mean", "nodes": [{"op": "glu", "settings": {"op": "ffn"}}]}',
        "[" * 100_000,
        "[]",
        "{",
    ],
)
def test_json_of_another_shape_raises_one_of_the_stated_errors(text):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Genotype.from_json(text)


def test_a_genotype_of_more_nodes_than_an_id_can_be_found_for_is_refused():
    nodes = [{"op": "glu"}] * MAX_NODES
    frame = {"width": 64, "rank": 32, "pooling": "mean"}
    assert len(Genotype.from_dict({**frame, "nodes": nodes}).id) == 16  # all alike: the slowest that was found
    with pytest.raises(ValueError, match="at most 64 nodes, got 65"):
        Genotype.from_dict({**frame, "nodes": [*nodes, {"op": "glu"}]})
    larger = Genotype(64, 32, "mean", chain([Node.of("glu")] * 65))
    assert structural_problems(larger) == ["a genotype has at most 64 nodes, got 65"]


def test_equality_and_hash_are_those_of_the_id():
    swapped = Genotype(64, 32, "mean", (Node("glu"), ATTENTION))
    same = Genotype(64, 32, "mean", (ATTENTION, Node("glu")))
    other = Genotype(64, 32, "mean", (ATTENTION, Node("glu", (), (1,))))
    assert swapped == same != other
    assert len({swapped, same, other}) == 2
    assert same != "a genotype"


def test_a_genotype_prints_as_one_line():
    assert str(GENOTYPE) == (
        "w256 r128 mean | attention(conv=False,heads=4)<-0 ffn(activation=gelu,ratio=2.0)<-1 "
        "conv(kernel=3)<-0,1:concat glu<-3,3:gate"
    )


ROBUST = GENOTYPE.with_(source=(("token_dropout", 0.1), ("characters", "cnn"), ("encoding", "wordpiece")))


def test_a_source_holds_only_what_is_not_the_default_by_name():
    assert ROBUST.source == (("characters", "cnn"), ("token_dropout", 0.1))
    assert ROBUST.source_setting == {"encoding": "wordpiece", "characters": "cnn", "token_dropout": 0.1}
    assert GENOTYPE.source == ()
    assert GENOTYPE.with_(source=(("token_dropout", 0), ("encoding", "wordpiece"))).source == ()


def test_the_settings_of_a_source_are_in_its_graph_its_json_its_line_and_its_canonical_form():
    assert ROBUST.graph.nodes[SOURCE]["settings"] == ROBUST.source
    assert Genotype.from_graph(ROBUST.graph).source == ROBUST.source
    assert ROBUST.to_dict()["source"] == {"characters": "cnn", "token_dropout": 0.1}
    assert Genotype.from_json(ROBUST.to_json()).source == ROBUST.source
    assert ROBUST.canonical().source == ROBUST.source
    assert str(ROBUST).startswith("w256 r128 mean | source(characters=cnn,token_dropout=0.1) attention(")


def test_a_source_of_defaults_leaves_no_trace_in_json():
    assert list(GENOTYPE.to_dict()) == ["width", "rank", "pooling", "nodes"]


@pytest.mark.parametrize("source", ['"cnn"', "3", '["characters"]'])
def test_a_source_of_another_shape_raises_one_of_the_stated_errors(source):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Genotype.from_json(
            f'{{"width": 64, "rank": 32, "pooling": "mean", "nodes": [{{"op": "glu"}}], "source": {source}}}'
        )
