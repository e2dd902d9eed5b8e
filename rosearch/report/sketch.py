"""An architecture as lines of text: layers from the source down to the output, merges and skips visible.

>>> print("\\n".join(sketch(genotype)))
                  [text rank 64]
         ┌───────────────┼─────────┐
[attention heads 4]  [conv kernel 5]  ┊
         └───────────────┴──────┐
                 ...

Each operation stands below all that it reads; what has no room in its layer stands in a later one. A dashed line passes
layers. Where lines cross without meeting, the vertical one is drawn whole. `concat: glu` concatenates what it reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rosearch.report.features import OUTPUT, Operators
from rosearch.report.layers import Box, Vertex, lay_out, ordered
from rosearch.space.genotype import Genotype
from rosearch.space.node import SOURCE

_WIDTH, _GAP = 80, 2
_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_LINES = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"  # by the sum of the sides to which a line leads
_SIMPLE = str.maketrans({**dict.fromkeys("└┘┌┐├┤┬┴┼", "+"), "│": "|", "─": "-", "┊": ":"})
_SHIFTS = tuple(way * by for by in range(12) for way in ((1, -1) if by else (1,)))


@dataclass(frozen=True)
class _Net:
    """The lines from one vertex to all that read it in the next layer: the columns of their ends."""

    start: int
    ends: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, int]:
        return min(self.start, *self.ends), max(self.start, *self.ends)

    @property
    def straight(self) -> bool:
        return self.ends == (self.start,)


def sketch(genotype: Genotype, width: int = _WIDTH, plain: bool = False) -> list[str]:
    """The drawing in lines of at most `width` columns, in ASCII alone where it is to be `plain`."""
    operators = Operators.of(genotype)
    reads = operators.reads
    words = dict(zip((SOURCE, *operators.nodes, OUTPUT), map(_label, lay_out(genotype).boxes), strict=True))
    for room in range(width, 0, -4):
        level = _levels(reads, words, room)
        chains = _chains(reads, level)
        layers = ordered(level, chains)
        if max(_wide(layer, words) for layer in layers) <= width - 2:
            break
    below = defaultdict(list)
    for upper, lower in {pair: None for chain in chains for pair in pairwise(chain)}:
        below[upper].append(lower)
    lines = _drawn(layers, below, words, width)
    left = min(len(line) - len(line.lstrip()) for line in lines)
    return [line[left:].translate(_SIMPLE) if plain else line[left:] for line in lines]


def _label(box: Box) -> str:
    return f"[{box.merge}: " * bool(box.merge) + "[" * (not box.merge) + f"{box.name} {box.detail}".rstrip() + "]"


def _levels(reads: Mapping[int, Sequence[int]], words: Mapping[int, str], room: int) -> dict[int, int]:
    """The layer of each: below all that it reads, and where there is room. What leads past is not counted."""
    level = {SOURCE: 0}
    taken: dict[int, int] = defaultdict(int)
    for name, inputs in reads.items():
        depth = 1 + max(level[one] for one in inputs)
        while name != OUTPUT and taken[depth] and taken[depth] + len(words[name]) + _GAP > room:
            depth += 1
        level[name] = depth
        taken[depth] += len(words[name]) + _GAP
    level[OUTPUT] = max(level[OUTPUT], 1 + max(depth for name, depth in level.items() if name != OUTPUT))
    return level


def _chains(reads: Mapping[int, Sequence[int]], level: Mapping[int, int]) -> list[list[Vertex]]:
    """The edges as the vertices that they lead through. All that leads past a layer from one vertex shares a place."""
    readers = defaultdict(list)
    for name, inputs in reads.items():
        for read in dict.fromkeys(inputs):
            readers[read].append(name)
    chains = []
    for read, names in readers.items():
        last: Vertex = read
        depth = level[read]
        for name in sorted(names, key=level.__getitem__):
            past: list[Vertex] = [(read, 0, between) for between in range(depth + 1, level[name])]
            chains.append([last, *past, name])
            last, depth = (past[-1], level[name] - 1) if past else (last, depth)
    return chains


def _wide(layer: Sequence[Vertex], words: Mapping[int, str]) -> int:
    return sum(_size(vertex, words) for vertex in layer) + _GAP * (len(layer) - 1)


def _size(vertex: Vertex, words: Mapping[int, str]) -> int:
    return len(words[vertex]) if isinstance(vertex, int) else 1


def _drawn(
    layers: Sequence[Sequence[Vertex]],
    below: Mapping[Vertex, Sequence[Vertex]],
    words: Mapping[int, str],
    width: int,
) -> list[str]:
    column = _columns(layers[0], words, width, 0)
    lines = [_row(layers[0], words, column)]
    for upper, lower in pairwise(layers):
        for shift in _SHIFTS:
            place = _columns(lower, words, width, shift)
            nets = _nets(upper, lower, below, column, place)
            if (tracks := _tracks(nets)) is not None:
                break
        else:
            raise AssertionError("lines of an architecture cross each other in every place")
        lines += _between(nets, tracks, width + 24)
        lines.append(_row(lower, words, place))
        column = place
    return lines


def _columns(layer: Sequence[Vertex], words: Mapping[int, str], width: int, shift: int) -> dict[Vertex, int]:
    """The middle column of each vertex."""
    left, found = width // 2 - _wide(layer, words) // 2 + shift + 12, {}
    for vertex in layer:
        size = _size(vertex, words)
        found[vertex] = left + size // 2
        left += size + _GAP
    return found


def _row(layer: Sequence[Vertex], words: Mapping[int, str], column: Mapping[Vertex, int]) -> str:
    line = ""
    for vertex in layer:
        told = words[vertex] if isinstance(vertex, int) else "┊"
        line = line.ljust(column[vertex] - len(told) // 2) + told
    return line


def _nets(
    upper: Sequence[Vertex],
    lower: Sequence[Vertex],
    below: Mapping[Vertex, Sequence[Vertex]],
    column: Mapping[Vertex, int],
    place: Mapping[Vertex, int],
) -> list[_Net]:
    """Lines end side by side above what reads several, in the order in which they begin."""
    ends = defaultdict(list)
    for reader in lower:
        readers = [vertex for vertex in upper if reader in below[vertex]]
        for index, vertex in enumerate(readers):
            ends[vertex].append(place[reader] + 2 * index - (len(readers) - 1))
    return [_Net(column[vertex], tuple(sorted(ends[vertex]))) for vertex in upper if ends[vertex]]


def _tracks(nets: Sequence[_Net]) -> list[int] | None:
    """The row in which each net runs sideways; None where two would have to be above each other.

    A net that ends in the column in which another begins runs below it.
    """
    rows: list[int] = [-1] * len(nets)
    left = [index for index, net in enumerate(nets) if not net.straight]
    while left:
        free = [one for one in left if not any(nets[other].start in nets[one].ends for other in left if other != one)]
        if not free or any(net.straight and net.start in nets[one].ends for one in free for net in nets):
            return None
        for one in free:
            above = [rows[other] for other, net in enumerate(nets) if other != one and net.start in nets[one].ends]
            row = 1 + max(above, default=-1)
            while any(rows[other] == row and _touch(nets[other], nets[one]) for other in range(len(nets))):
                row += 1
            rows[one] = row
            left.remove(one)
    return rows


def _touch(one: _Net, other: _Net) -> bool:
    return one.reach[0] <= other.reach[1] + 1 and other.reach[0] <= one.reach[1] + 1


def _between(nets: Sequence[_Net], tracks: Sequence[int], width: int) -> list[str]:
    """The lines between two layers."""
    height = 1 + max(0, *tracks)
    cells: list[list[list[int]]] = [[[] for _ in range(width)] for _ in range(height)]
    for net, track in zip(nets, tracks, strict=True):
        sides: dict[tuple[int, int], int] = defaultdict(int)
        turn = height if net.straight else track
        for row in range(height):
            if row <= turn:
                sides[row, net.start] |= _UP | (_DOWN if row < turn else 0)
            for end in net.ends if row >= turn else ():
                sides[row, end] |= _DOWN | (_UP if row > turn else 0)
        for at in range(net.reach[0], net.reach[1] + 1) if not net.straight else ():
            sides[track, at] |= (_LEFT if at > net.reach[0] else 0) | (_RIGHT if at < net.reach[1] else 0)
        for (row, at), found in sides.items():
            cells[row][at].append(found)
    return ["".join(_LINES[_shown(cell)] for cell in row).rstrip() for row in cells]


def _shown(cell: Sequence[int]) -> int:
    """The vertical one of two lines that cross."""
    return next((sides for sides in cell if sides == _UP | _DOWN), cell[0] if cell else 0)
