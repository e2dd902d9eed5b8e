"""An architecture as text that graph programs read: GraphML (yEd, Gephi, Cytoscape, networkx) and DOT (Graphviz).

>>> graph_text(genotype, "dot").splitlines()[0]
'digraph "0f3a..." {'
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Literal

import networkx as nx

from rosearch.report.features import OUTPUT, Operators
from rosearch.report.layers import lay_out
from rosearch.space.genes import all_in_words
from rosearch.space.genotype import Genotype
from rosearch.space.node import SOURCE

GraphFormat = Literal["graphml", "dot"]
GRAPH_FORMATS: tuple[GraphFormat, ...] = ("graphml", "dot")


def plain_graph(genotype: Genotype) -> nx.DiGraph:
    """Source, operations and output as a graph whose attributes are words and whole numbers alone.

    No-ops are left out, as in all drawings. A node has `op`, `merge`, `settings` (JSON) and `label`; an edge has
    `port`, the first place at which it is read, and `times`, how often. The graph has `architecture` (the id), `width`,
    `rank`, `pooling`, and where a search chose settings of the training `training`, in words.
    """
    operators = Operators.of(genotype)
    nodes, reads = operators.nodes, operators.reads
    given = {"architecture": genotype.id, "width": genotype.width, "rank": genotype.rank, "pooling": genotype.pooling}
    graph = nx.DiGraph(**given, **({"training": all_in_words(genotype.training)} if genotype.training else {}))
    names = {SOURCE: "source", **{position: f"n{position}" for position in nodes}, OUTPUT: "output"}
    for (position, name), box in zip(names.items(), lay_out(genotype).boxes, strict=True):
        node = nodes.get(position)
        settings = dict(node.settings) if node is not None else dict(genotype.source) if position == SOURCE else {}
        told = {"op": name if node is None else node.op, "merge": box.merge, "settings": json.dumps(settings)}
        graph.add_node(name, label=f"{box.name} {box.detail}".strip(), **told)
    for position, inputs in reads.items():
        for read in dict.fromkeys(inputs):
            graph.add_edge(names[read], names[position], port=inputs.index(read), times=inputs.count(read))
    return graph


def graph_text(genotype: Genotype, kind: GraphFormat) -> str:
    """The text of a file."""
    graph = plain_graph(genotype)
    return _dot(graph) if kind == "dot" else _graphml(graph)


def _graphml(graph: nx.DiGraph) -> str:
    text = BytesIO()
    nx.write_graphml_xml(graph, text)
    return text.getvalue().decode() + "\n"


def _dot(graph: nx.DiGraph) -> str:
    lines = [f"digraph {_quoted(graph.graph['architecture'])} {{", "  rankdir=TB; node [shape=box, style=rounded];"]
    for name, data in graph.nodes(data=True):
        label = f"{data['merge']}: {data['label']}" if data["merge"] else data["label"]
        lines.append(f"  {name} [label={_quoted(label)}];")
    for read, reader, times in graph.edges(data="times"):
        lines += [f"  {read} -> {reader};"] * times
    return "\n".join((*lines, "}", ""))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
