"""Which nodes of two graphs stand for each other: those of one operation whose surroundings are most alike.

>>> matched_nodes(child.config.genotype["nodes"], parent.config.genotype["nodes"])
(1, 0, 2)  # node 1 is the parent's 1, node 2 is new, node 3 is the parent's 2

A mutation changes one place of a graph, and with it the canonical numbers of nodes elsewhere. So a node's place is told
by what it reads and by who reads it, as far as `_REACH` nodes away, and by its canonical position where that leaves a
tie.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import count
from typing import Any

NodeData = Mapping[str, Any]  # a node as `Genotype.to_dict` has it

_REACH = 3


def matched_nodes(ours: Sequence[NodeData], theirs: Sequence[NodeData]) -> tuple[int, ...]:
    """For each of our nodes the position of the node of theirs that it stands for, counted from 1; 0 for a new one.

    Both have one operation; settings may differ, and those whose settings are equal come first. No node stands for two.
    """
    number = _numbering()
    views = [
        (_views(ours, number), _views(theirs, number)),
        (_views(_turned(ours), number), _views(_turned(theirs), number)),
    ]
    alike = []
    for mine, node in enumerate(ours):
        for other, given in enumerate(theirs):
            if node["op"] == given["op"]:
                seen = sum(a == b for left, right in views for a, b in zip(left[mine], right[other], strict=True))
                apart = abs((mine + 1) / len(ours) - (other + 1) / len(theirs))
                alike.append((-seen, apart, mine, other))
    found, taken = [0] * len(ours), set[int]()
    for _, _, mine, other in sorted(alike):
        if not found[mine] and other not in taken:
            found[mine] = other + 1
            taken.add(other)
    return tuple(found)


def stand_ins(ours: Sequence[NodeData], matched: Sequence[int]) -> list[int | None]:
    """For the source and each of our nodes the node of theirs whose output it starts with; None where there is none.

    A new node starts as the mean of what it reads: of one input, it gives that on.
    """
    found: list[int | None] = [0]
    for node, given in zip(ours, matched, strict=True):
        read = {found[position] for position in node["inputs"]}
        found.append(given or (read.pop() if len(read) == 1 else None))
    return found


def _numbering() -> Callable[[Hashable], int]:
    """Gives equal things equal numbers: a nested description would grow with each step."""
    known: dict[Hashable, int] = {}
    fresh = count()

    def number(what: Hashable) -> int:
        if what not in known:
            known[what] = next(fresh)
        return known[what]

    return number


def _views(nodes: Sequence[NodeData], number: Callable[[Hashable], int]) -> list[list[int]]:
    """Each node as seen from its own place: itself with its settings, then with ever more of what it reads."""
    own = [number((node["op"], tuple(sorted((node.get("settings") or {}).items())))) for node in nodes]
    views = [[label] for label in own]
    for _ in range(_REACH):
        last = [number("source"), *(view[-1] for view in views)]
        for view, label, node in zip(views, own, nodes, strict=True):
            view.append(number((label, tuple(sorted(last[read] for read in node["inputs"])))))
    return views


def _turned(nodes: Sequence[NodeData]) -> list[NodeData]:
    """The same nodes, each with its readers in the place of its inputs; 0 is the output."""
    readers: list[list[int]] = [[] for _ in range(len(nodes) + 1)]
    for position, node in enumerate(nodes, start=1):
        for read in node["inputs"]:
            readers[read].append(position)
    return [{**node, "inputs": readers[at] or [0]} for at, node in enumerate(nodes, start=1)]
