"""An architecture laid out in layers: the source at the top, each operation below all that it reads, then the output.

Within a layer, operations stand near what they read (barycentres, Sugiyama 1981). An edge that skips layers runs
through places of its own in each of them, so that it crosses no box.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rosearch.report.features import OUTPUT, SHARES, Operators
from rosearch.space.genotype import Genotype
from rosearch.space.node import SOURCE, Node, Setting

BOX, ROW, GAP, LANE = (104.0, 36.0), 66.0, 16.0, 22.0  # of a drawing, in pixels
_SWEEPS = 3
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
    graph = Operators.of(genotype)
    nodes, reads, level = graph.nodes, graph.reads, graph.level
    chains = [_chain(read, name, level) for read, name in graph.edges]
    layers = ordered(level, chains)
    rooms = [[_room(vertex) for vertex in layer] for layer in layers]
    width = max(sum(room) + GAP * (len(room) + 1) for room in rooms)
    centre: dict[Vertex, tuple[float, float]] = {}
    for depth, (layer, room) in enumerate(zip(layers, rooms, strict=True)):
        left = (width - sum(room) - GAP * (len(room) - 1)) / 2
        for vertex, wide in zip(layer, room, strict=True):
            centre[vertex] = (left + wide / 2, depth * ROW + BOX[1] / 2 + 8)
            left += wide + GAP
    boxes = [_end(centre[SOURCE], "text", _source_words(genotype))]
    boxes += [_box(nodes[name], len(reads[name]), centre[name]) for name in nodes]
    boxes.append(_end(centre[OUTPUT], "output", f"{genotype.pooling} of {genotype.width}", len(reads[OUTPUT])))
    wires = tuple(_wire([centre[vertex] for vertex in chain]) for chain in chains)
    return Drawing(width, (len(layers) - 1) * ROW + BOX[1] + 16, tuple(boxes), wires)


def _chain(read: int, reader: int, level: Mapping[int, int]) -> list[Vertex]:
    between = range(level[read] + 1, level[reader])
    return [read, *((read, reader, depth) for depth in between), reader]


def ordered(level: Mapping[int, int], chains: Sequence[list[Vertex]]) -> list[list[Vertex]]:
    """The vertices of each layer from left to right."""
    layers: list[list[Vertex]] = [[] for _ in range(max(level.values()) + 1)]
    for node, depth in level.items():
        layers[depth].append(node)
    above, below = defaultdict(list), defaultdict(list)
    for chain in chains:
        for vertex in chain[1:-1]:
            layers[vertex[2]].append(vertex)  # type: ignore[index]
        for upper, lower in pairwise(chain):
            above[lower].append(upper)
            below[upper].append(lower)
    place = {vertex: (index + 0.5) / len(layer) for layer in layers for index, vertex in enumerate(layer)}
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            if len(layer) < 2:
                continue
            near = above if down else below
            heights = {v: sum([place[n] for n in near[v]]) / len(near[v]) if near[v] else place[v] for v in layer}
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


def _end(centre: tuple[float, float], name: str, detail: str, reads: int = 1) -> Box:
    return Box(*centre, name, detail, "source", "mean" if reads > 1 else "")


def _source_words(genotype: Genotype) -> str:
    told = ", ".join(_setting(*setting) for setting in genotype.source)
    return told or f"rank {genotype.rank}"


def _box(node: Node, reads: int, centre: tuple[float, float]) -> Box:
    told = ", ".join(filter(None, (_setting(*setting) for setting in node.settings)))
    merge = node.merge if reads > 1 else ""
    return Box(*centre, node.op.replace("_", " "), told, _FAMILIES.get(node.op, "other"), merge)


def _setting(key: str, value: Setting) -> str:
    """`heads 4`; `x2` for a ratio; a word by itself; "" for what is switched off."""
    if isinstance(value, bool):
        return key if value else ""
    if key == "ratio":
        return f"x{value}"
    return value if isinstance(value, str) else f"{key} {value}"
