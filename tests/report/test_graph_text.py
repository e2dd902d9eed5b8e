from __future__ import annotations

import io
import json
import random
import re

import networkx as nx
import pytest
from report.made_records import make_genotype

from rosearch.report.features import Operators
from rosearch.report.graph_text import graph_text, plain_graph
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node


@pytest.mark.parametrize("seed", range(6))
def test_graphml_reads_back_as_the_architecture(seed: int) -> None:
    genotype = make_genotype(random.Random(seed), nodes=8)
    found = nx.read_graphml(io.BytesIO(graph_text(genotype, "graphml").encode()))
    assert found.graph["architecture"] == genotype.id and int(found.graph["width"]) == genotype.width
    reads = sorted(found.in_degree(name) for name in found)
    assert reads == sorted(degree for _, degree in plain_graph(genotype).in_degree())
    for position, node in enumerate(genotype.nodes, start=1):
        data = found.nodes[f"n{position}"]
        assert data["op"] == node.op and json.loads(data["settings"]) == dict(node.settings)
    assert found.nodes["source"]["op"] == "source" and found.out_degree("output") == 0


def test_dot_has_a_line_for_each_node_and_each_read() -> None:
    twice = Genotype(64, 32, "mean", (Node.of("glu", [0, 0], "concat"), Node.of("conv", [1], "add", kernel=3)))
    text = graph_text(twice, "dot")
    assert re.findall(r"(\w+) -> (\w+);", text) == [("source", "n1"), ("source", "n1"), ("n1", "n2"), ("n2", "output")]
    assert 'n1 [label="concat: glu"];' in text and text.startswith(f'digraph "{twice.id}" {{') and text.endswith("}\n")


def test_an_identity_of_one_input_is_left_out_as_in_all_drawings() -> None:
    idle = Genotype(64, 32, "mean", (Node.of("glu", [0], "add"), Node.of("identity", [1], "add")))
    assert list(plain_graph(idle)) == ["source", "n1", "output"]
    assert plain_graph(idle).number_of_edges() == len(Operators.of(idle.canonical()).edges)
