"""An architecture laid out in layers: the source at the top, each operation below all that it reads, then the output.

Within a layer, operations stand near what they read (barycentres, Sugiyama 1981). An edge that skips layers runs
through places of its own in each of them, so that it crosses no box.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from rosearch.report.features import OUTPUT, SHARES, operator_graph
from rosearch.space.genotype import Genotype
from rosearch.space.node import SOURCE

BOX, ROW, GAP, LANE = (104.0, 36.0), 66.0, 16.0, 22.0  # of a drawing, in pixels
_SWEEPS = 4
_FAMILIES = {op: share.removesuffix("_share") for share, ops in SHARES.items() for op in ops}

Vertex = int | tuple[int, int, int]  # a node, or the place of an edge (from, to) in a layer between them


@dataclass(frozen=True)
class Box:
    """An operation: its centre, its words, the family that gives its colour, how it merges what it reads."""

    x: float
    y: float
    name: str
    detail: str
    family: str
    merge: str = ""


@dataclass(frozen=True)
class Wire:
    """An edge through places (x, y), from the foot of a box to the head of another; `skip` where it passes layers."""

    places: tuple[tuple[float, float], ...]
    skip: bool


@dataclass(frozen=True)
class Drawing:
    """Boxes and wires within a width and a height."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


def lay_out(genotype: Genotype) -> Drawing:
    """The drawing of an architecture, without its no-ops."""
    graph = operator_graph(genotype)
    level = _levels(graph.pred, list(graph.nodes))
    chains = {(read, reader): _chain(read, reader, level) for read, reader in graph.edges}
    layers = _ordered(level, list(chains.values()))
    width = max(sum(_room(vertex) for vertex in layer) + GAP * (len(layer) + 1) for layer in layers)
    centre = {}
    for depth, layer in enumerate(layers):
        left = (width - sum(_room(vertex) for vertex in layer) - GAP * (len(layer) - 1)) / 2
        for vertex in layer:
            centre[vertex] = (left + _room(vertex) / 2, depth * ROW + BOX[1] / 2 + 4)
            left += _room(vertex) + GAP
    boxes = tuple(_box(genotype, name, data, centre[name]) for name, data in graph.nodes(data=True))
    wires = tuple(_wire([centre[vertex] for vertex in chain]) for chain in chains.values())
    return Drawing(width, (len(layers) - 1) * ROW + BOX[1] + 8, boxes, wires)


def _levels(reads: dict[int, dict[int, object]], nodes: list[int]) -> dict[int, int]:
    """The longest path from the source to each node; nodes come after what they read, the output last."""
    level = {SOURCE: 0}
    for node in nodes:
        if node != SOURCE:
            level[node] = 1 + max(level[read] for read in reads[node])
    return level


def _chain(read: int, reader: int, level: dict[int, int]) -> list[Vertex]:
    between = range(level[read] + 1, level[reader])
    return [read, *((read, reader, depth) for depth in between), reader]


def _ordered(level: dict[int, int], chains: list[list[Vertex]]) -> list[list[Vertex]]:
    """The vertices of each layer from left to right."""
    layers: list[list[Vertex]] = [[] for _ in range(max(level.values()) + 1)]
    for node, depth in level.items():
        layers[depth].append(node)
    above, below = defaultdict(list), defaultdict(list)
    for chain in chains:
        for vertex in chain[1:-1]:
            layers[vertex[2]].append(vertex)  # type: ignore[index]
        for upper, lower in zip(chain, chain[1:]):
            above[lower].append(upper)
            below[upper].append(lower)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        place = {vertex: index / len(layer) for layer in layers for index, vertex in enumerate(layer)}
        for layer in layers if down else reversed(layers):
            near = above if down else below
            heights = {v: sum(place[n] for n in near[v]) / len(near[v]) if near[v] else place[v] for v in layer}
            layer.sort(key=heights.__getitem__)
            place |= {vertex: (index + 0.5) / len(layer) for index, vertex in enumerate(layer)}
    return layers


def _room(vertex: Vertex) -> float:
    return BOX[0] if isinstance(vertex, int) else LANE


def _wire(centres: list[tuple[float, float]]) -> Wire:
    half = BOX[1] / 2
    (x, y), *between, (last_x, last_y) = centres
    lanes = [place for lane in between for place in ((lane[0], lane[1] - half), (lane[0], lane[1] + half))]
    return Wire(((x, y + half), *lanes, (last_x, last_y - half)), bool(between))


def _box(genotype: Genotype, name: int, data: dict[str, object], centre: tuple[float, float]) -> Box:
    if name == SOURCE:
        told = ", ".join(str(value) for _, value in genotype.source) or f"rank {genotype.rank}"
        return Box(*centre, "text", told, "source")
    if name == OUTPUT:
        return Box(*centre, "output", f"{genotype.pooling} of {genotype.width}", "source", "mean")
    settings = dict(data["settings"])  # type: ignore[call-overload]
    told = ", ".join(_setting(key, value) for key, value in settings.items())
    merge = str(data["merge"]) if data["inputs"] != 1 else ""
    op = str(data["op"])
    return Box(*centre, op.replace("_", " "), told, _FAMILIES.get(op, "other"), merge)


def _setting(key: str, value: object) -> str:
    """`heads 4`, `x2` for a ratio, the word alone for an activation; what is off is left out by the caller's join."""
    if isinstance(value, bool):
        return key if value else f"no {key}"
    if key == "ratio":
        return f"x{value}"
    return str(value) if isinstance(value, str) else f"{key} {value}"
