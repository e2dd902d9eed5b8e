"""How near genotypes are, and parts of one moved to the nearest that a space of graphs has. The measure is ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log

from rosearch.space.genotype import Genotype
from rosearch.space.node import SOURCE, Node, Setting

Choices = Mapping[str, Mapping[str, tuple[Setting, ...]]]  # operations, with the values of their settings


def distance(genotype: Genotype, shape: tuple[int, int]) -> float:
    """Sum of the absolute log ratios of width and rank."""
    width, rank = shape
    return abs(log(width / genotype.width)) + abs(log(rank / genotype.rank))


def nearest(value: Setting | None, choices: Sequence[Setting]) -> Setting:
    """The value itself if it is a choice; otherwise the nearest number by ratio, or the first choice."""
    if value in choices:
        return next(choice for choice in choices if choice == value)
    if isinstance(value, bool | str) or value is None:
        return choices[0]
    return min(choices, key=lambda choice: abs(log(float(choice) / value)))


def without_unknown(nodes: Sequence[Node], operations: Choices) -> list[Node]:
    """The nodes whose operations are known; readers of a removed node read its last input."""
    stands_for = {SOURCE: SOURCE}
    kept: list[Node] = []
    for position, node in enumerate(nodes, start=1):
        inputs = tuple(dict.fromkeys(stands_for[read] for read in node.inputs))
        if node.op in operations:
            kept.append(node.with_(inputs=inputs))
            stands_for[position] = len(kept)
        else:
            stands_for[position] = inputs[-1]
    return kept


def snapped(nodes: Sequence[Node], operations: Choices, merges: Sequence[str], max_inputs: int) -> tuple[Node, ...]:
    """The nodes with each setting and merge at its nearest choice, and their last `max_inputs` inputs."""
    moved = []
    for node in nodes:
        settings = {name: nearest(node.setting.get(name), values) for name, values in operations[node.op].items()}
        inputs = node.inputs[-max_inputs:]
        merge = nearest(node.merge, merges) if len(inputs) > 1 else "add"
        moved.append(Node(node.op, tuple(sorted(settings.items())), inputs, str(merge)))
    return tuple(moved)
