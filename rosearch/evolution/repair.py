"""Repair of nodes after variation: inputs that lost their source, settings and ranks that no longer fit."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from rosearch.space.node import Node
from rosearch.space.search_space import SearchSpace, sample_settings


def rewired(node: Node, position: Mapping[int, int]) -> Node:
    """The node with its inputs at their new positions; inputs that fell together are read once."""
    return _reading(node, (position[read] for read in node.inputs))


def replaced_input(node: Node, old: int, *new: int) -> Node:
    """The node with the inputs `new` in place of `old`."""
    return _reading(node, (read for port in node.inputs for read in (new if port == old else (port,))))


def added_input(node: Node, new: int, space: SearchSpace, rng: random.Random) -> Node:
    """The node with the further input `new`; if it had nothing to merge so far, a merge is drawn."""
    merge = node.merge if len(node.inputs) > 1 else rng.choice(space.merges)
    return node.with_(inputs=(*node.inputs, new), merge=merge)


def settled(node: Node, space: SearchSpace, width: int, rng: random.Random) -> Node:
    """The node unchanged if it suits `width`; else with new settings; else with another operation."""
    choices = space.operations_at(width)
    op = node.op if node.op in choices else rng.choice(tuple(choices))
    if op == node.op and all(value in choices[op][name] for name, value in node.settings):
        return node
    return Node.of(op, node.inputs, node.merge, **sample_settings(space, op, width, rng))


def fitting_rank(rank: int, width: int, space: SearchSpace) -> int:
    """`rank` if it is at most `width`, else the largest rank of the space that is."""
    return rank if rank <= width else max((other for other in space.ranks if other <= width), default=rank)


def _reading(node: Node, inputs: Iterable[int]) -> Node:
    once = tuple(dict.fromkeys(inputs))
    return node.with_(inputs=once, merge=node.merge if len(once) > 1 else "add")
