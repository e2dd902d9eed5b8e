"""A genotype: an immutable description of a student architecture, around a networkx DiGraph. No torch here.

Node 0 is the source (the embedded tokens). Nodes 1..n carry an operation, its settings and a merge. An edge carries the
port at which it enters its reader. Nodes that nobody reads are sinks; the mean of all sinks is the output. Graph
attributes: `width` (features per token), `rank` (of the factorised embedding), `pooling`. The source has settings too:
how words are encoded and turned into vectors. Where a space chooses settings of distillation, the genotype holds them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from rosearch.errors import shown
from rosearch.space.identity import architecture_id, canonical_form
from rosearch.space.node import SOURCE, GeneValue, Node, Setting

if TYPE_CHECKING:
    import networkx as nx

MAX_NODES = 64  # of an architecture: the id of nodes all alike takes 0.5 s at 64, 5 s at 128, 73 s at 256

# Settings of the source; a genotype holds only those that differ from these.
SOURCE_DEFAULTS: dict[str, Setting] = {"encoding": "wordpiece", "characters": "none", "token_dropout": 0.0}


@dataclass(frozen=True, eq=False)
class Genotype:
    """Width, embedding rank, pooling, and operator nodes in a topological order (each reads earlier ones).

    `source` holds the settings of node 0; defaults are dropped, the rest is sorted by name. `training` holds the
    settings of distillation that the space chooses (`genes`), sorted by name; most spaces choose none. Equality and
    hash are those of `id`: genotypes that describe the same student are equal, however their nodes are numbered. Raises
    `ValueError` if the nodes are no DAG in topological order.
    """

    width: int
    rank: int
    pooling: str
    nodes: tuple[Node, ...]
    source: tuple[tuple[str, Setting], ...] = ()
    training: tuple[tuple[str, GeneValue], ...] = ()

    def __post_init__(self) -> None:
        told = [setting for setting in self.source if setting[1] != SOURCE_DEFAULTS.get(setting[0])]
        object.__setattr__(self, "source", tuple(sorted(told, key=lambda setting: setting[0])))
        object.__setattr__(self, "training", tuple(sorted(self.training, key=lambda gene: gene[0])))
        if not self.nodes:
            raise ValueError("a genotype needs at least one node")
        for position, node in enumerate(self.nodes, start=1):
            if not node.inputs:
                raise ValueError(f"node {position} ({node.op}) reads nothing")
            for read in node.inputs:
                if not 0 <= read < position:
                    raise ValueError(f"node {position} ({node.op}) reads {read}: only 0..{position - 1} come before it")

    def with_(self, **changes: Any) -> Self:
        """A changed copy."""
        return replace(self, **changes)

    @property
    def source_setting(self) -> dict[str, Setting]:
        """All settings of the source, defaults included (a copy)."""
        return {**SOURCE_DEFAULTS, **dict(self.source)}

    @property
    def architecture(self) -> Genotype:
        """The same without settings of the training: all that a student costs depends on it alone."""
        return self.with_(training=()) if self.training else self

    @cached_property
    def graph(self) -> nx.DiGraph:
        """The frozen networkx graph. An edge carries all ports at which its reader reads it."""
        import networkx as nx  # slow to load, and most readers of a run ask for no graph

        graph = nx.DiGraph(width=self.width, rank=self.rank, pooling=self.pooling)
        graph.add_node(SOURCE, op="source", settings=self.source, merge="add")
        for position, node in enumerate(self.nodes, start=1):
            graph.add_node(position, op=node.op, settings=node.settings, merge=node.merge)
            for port, read in enumerate(node.inputs):
                if graph.has_edge(read, position):
                    graph.edges[read, position]["ports"] += (port,)
                else:
                    graph.add_edge(read, position, ports=(port,))
        if self.training:
            graph.graph["training"] = self.training
        return nx.freeze(graph)

    @classmethod
    def from_graph(cls, graph: nx.DiGraph) -> Self:
        """The genotype of a graph with the attributes of `Genotype.graph`, under any node names.

        Raises `ValueError` unless exactly one node has op `source`, every other node reads something, and the graph is
        acyclic.
        """
        import networkx as nx

        sources = [name for name, op in graph.nodes(data="op") if op == "source"]
        if len(sources) != 1 or not nx.is_directed_acyclic_graph(graph):
            raise ValueError(f"expected an acyclic graph with one source, got {len(sources)} sources or a cycle")
        names = [name for name in nx.topological_sort(graph) if name != sources[0]]
        position = {name: index for index, name in enumerate(names, start=1)} | {sources[0]: SOURCE}
        nodes = []
        for name in names:
            edges = graph.in_edges(name, data="ports")
            reads = sorted((port, position[read]) for read, _, ports in edges for port in ports)
            data = graph.nodes[name]
            nodes.append(Node(data["op"], tuple(data["settings"]), tuple(read for _, read in reads), data["merge"]))
        source = tuple(graph.nodes[sources[0]].get("settings", ()))
        shape = (graph.graph["width"], graph.graph["rank"], graph.graph["pooling"])
        return cls(*shape, tuple(nodes), source, tuple(graph.graph.get("training", ())))

    @cached_property
    def id(self) -> str:
        """16 hex digits: the hash of the canonical form (see `identity`)."""
        shape = (self.width, self.rank, self.pooling)
        return architecture_id(shape, self.nodes, self.sinks, self.source, self.training)

    def canonical(self) -> Genotype:
        """The one genotype that represents all with this id, so that equal genotypes build bit-identical students.

        No-ops are removed and the nodes stand in canonical order. An identity is added at the end for each node that
        the output reads although another node reads it too, or that the output reads twice.
        """
        form = canonical_form(self.nodes, self.sinks)
        nodes = []
        for old, reads in zip(form.kept, form.reads, strict=True):
            node = self.nodes[old - 1]
            merge = node.merge if len(reads) > 1 else "add"
            nodes.append(Node(node.op, tuple(sorted(node.settings)), reads, merge))
        read = {source for node in nodes for source in node.inputs} | {SOURCE}
        twice = {position for position in form.output if form.output.count(position) > 1}
        nodes.extend(Node("identity", (), (position,)) for position in form.output if position in read | twice)
        return self.with_(nodes=tuple(nodes))

    @cached_property
    def sinks(self) -> tuple[int, ...]:
        """Positions of the nodes that nobody reads; their mean is the output."""
        read = {source for node in self.nodes for source in node.inputs}
        return tuple(position for position in range(1, len(self.nodes) + 1) if position not in read)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data: width, rank, pooling; op, inputs, merge, settings of each node; source and training."""
        data: dict[str, Any] = {
            "width": self.width,
            "rank": self.rank,
            "pooling": self.pooling,
            "nodes": [
                {"op": node.op, "inputs": list(node.inputs), "merge": node.merge, "settings": node.setting}
                for node in self.nodes
            ],
        }
        genes = {name: list(value) if isinstance(value, tuple) else value for name, value in self.training}
        return data | ({"source": dict(self.source)} if self.source else {}) | ({"training": genes} if genes else {})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` on other data."""
        if len(data["nodes"]) > MAX_NODES:
            raise ValueError(f"a genotype has at most {MAX_NODES} nodes, got {len(data['nodes'])}")
        _typed(int, data["width"], data["rank"])
        _typed(str, data["pooling"])
        source = dict(data.get("source", {}))
        _typed(Setting, *source.values())
        nodes, genes = tuple(map(_node, data["nodes"])), dict(data.get("training", {}))
        training = tuple((name, _gene(value)) for name, value in genes.items())
        return cls(data["width"], data["rank"], data["pooling"], nodes, tuple(source.items()), training)

    def to_json(self) -> str:
        """One line of JSON with sorted keys."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`. Raises as `from_dict` does."""
        try:
            return cls.from_dict(json.loads(text))
        except RecursionError:
            raise ValueError("it is nested too deep for a genotype") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Genotype) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        """One short line, e.g. `w256 r128 mean | source(characters=cnn) attention(heads=4)<-0 ffn(ratio=2)<-1`."""
        parts = [f"source{_in_brackets(self.source)}"] if self.source else []
        for node in self.nodes:
            reads = ",".join(map(str, node.inputs))
            merge = f":{node.merge}" if len(node.inputs) > 1 else ""
            parts.append(f"{node.op}{_in_brackets(node.settings)}<-{reads}{merge}")
        trained = f" | training{_in_brackets(self.training)}" if self.training else ""
        return f"w{self.width} r{self.rank} {self.pooling} | {' '.join(parts)}{trained}"


def chain(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes in a row: each reads the one before."""
    return tuple(node.with_(inputs=(position,)) for position, node in enumerate(nodes))


def _node(data: Mapping[str, Any]) -> Node:
    op, merge = data["op"], data.get("merge", "add")
    inputs, settings = data.get("inputs", (SOURCE,)), data.get("settings", {})
    _typed(str, op, merge)
    _typed(int, *inputs)
    _typed(Setting, *settings.values())
    return Node.of(op, inputs, merge, **settings)


def _gene(value: object) -> GeneValue:
    if isinstance(value, list):
        _typed(str, *value)
        return tuple(value)
    _typed(Setting | None, value)
    return value  # type: ignore[return-value]


def _typed(kind: Any, *values: object) -> None:
    """Raises `ValueError` for a value of another type; true and false are no numbers."""
    for value in values:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ValueError(
                f"expected {getattr(kind, '__name__', 'a number, text, true or false')}, got {shown(value)}"
            )


def _in_brackets(settings: tuple[tuple[str, GeneValue], ...]) -> str:
    told = (f"{name}={'+'.join(value) if isinstance(value, tuple) else value}" for name, value in settings)
    return f"({','.join(told)})" if settings else ""
