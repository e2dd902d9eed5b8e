"""Fits a genotype, such as a published architecture, into a space of graphs. The measure of nearness is ours."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from rosearch.space.genotype import SOURCE, Genotype, Node, Setting

if TYPE_CHECKING:
    from rosearch.space.search_space import SearchSpace


def nearest_genotype(genotype: Genotype, space: SearchSpace) -> Genotype:
    """The nearest genotype that is legal in the space; a legal genotype is returned as it is.

    - Width and rank move to the nearest pair that allows a legal genotype.
    - Merges, pooling and settings move to the nearest value of the space; settings of the source to its first value.
    - A node whose operation the space lacks is removed; its readers then read its last input.
    - Surplus nodes are cut from the end, which keeps a pattern of blocks whole.

    Raises `ValueError` with the reason if no legal genotype is found.
    """
    if space.is_legal(genotype):
        return genotype
    reasons: list[str] = []
    for width, rank in sorted(space.shapes, key=lambda shape: _distance(genotype, shape)):
        nodes = _without_unknown(genotype.nodes, space, width)[: space.max_nodes]
        while len(nodes) >= space.min_nodes:
            pooling = str(_nearest(genotype.pooling, space.poolings))
            fitted = Genotype(width, rank, pooling, _snapped(nodes, space, width), _source_in(genotype, space))
            if not (problems := space.violations(fitted)):
                return fitted
            reasons = reasons or problems
            nodes = nodes[:-1]
        reasons = reasons or [f"{len(nodes)} of its nodes can stay, {space.min_nodes} are needed"]
    raise ValueError(f"does not fit the search space {space.name}: {'; '.join(reasons)}")


def _source_in(genotype: Genotype, space: SearchSpace) -> tuple[tuple[str, Setting], ...]:
    """Settings of the genotype's source; a value that the space lacks becomes the space's first."""
    ours = genotype.source_setting
    return tuple((name, ours[name] if ours[name] in values else values[0]) for name, values in space.source.items())


def _distance(genotype: Genotype, shape: tuple[int, int]) -> float:
    """Sum of the absolute log ratios of width and rank."""
    width, rank = shape
    return abs(log(width / genotype.width)) + abs(log(rank / genotype.rank))


def _without_unknown(nodes: tuple[Node, ...], space: SearchSpace, width: int) -> tuple[Node, ...]:
    stands_for = {SOURCE: SOURCE}
    kept: list[Node] = []
    for position, node in enumerate(nodes, start=1):
        inputs = tuple(dict.fromkeys(stands_for[read] for read in node.inputs))
        if node.op in space.operations_at(width):
            kept.append(node.with_(inputs=inputs))
            stands_for[position] = len(kept)
        else:
            stands_for[position] = inputs[-1]
    return tuple(kept)


def _snapped(nodes: tuple[Node, ...], space: SearchSpace, width: int) -> tuple[Node, ...]:
    snapped = []
    for node in nodes:
        choices = space.operations_at(width)[node.op]
        settings = {name: _nearest(node.setting.get(name), values) for name, values in choices.items()}
        inputs = node.inputs[-space.max_inputs :]
        merge = _nearest(node.merge, space.merges) if len(inputs) > 1 else "add"
        snapped.append(Node(node.op, tuple(sorted(settings.items())), inputs, str(merge)))
    return tuple(snapped)


def _nearest(value: Setting | None, choices: tuple[Setting, ...]) -> Setting:
    """The value itself if it is a choice; otherwise the nearest number by ratio, or the first choice."""
    if value in choices:
        return next(choice for choice in choices if choice == value)
    if isinstance(value, bool | str) or value is None:
        return choices[0]
    return min(choices, key=lambda choice: abs(log(float(choice) / value)))
