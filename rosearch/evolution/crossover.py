"""Crossover of graphs: an aligned subgraph of one parent replaces that of the other. Pure, and always legal."""

from __future__ import annotations

import random

import networkx as nx

from rosearch.evolution.repair import fitting_rank, rewired, settled
from rosearch.space.genotype import Genotype
from rosearch.space.node import SOURCE, GeneValue, Node
from rosearch.space.search_space import SearchSpace

TRIES = 32  # draws before crossover gives up and returns the first parent


def cross(a: Genotype, b: Genotype, space: SearchSpace, rng: random.Random) -> Genotype:
    """A child of `a` in which a slice of nodes is replaced by the slice of `b` at the same relative depth.

    Both are ordered by depth (the longest path from the source). A run of that order is convex: no path leaves it and
    comes back, so it can be cut out without a cycle. A dangling edge is tied to the node at the same relative place.
    Width and rank come from one parent; pooling, the source's settings, and each setting of the training come from
    either. Gives `a` itself if no other legal child was drawn.
    """
    first, second = _by_depth(a), _by_depth(b)
    for _ in range(TRIES):
        nodes = _exchanged(first.nodes, second.nodes, rng)
        shape, pooled = rng.choice((a, b)), rng.choice((a, b))
        source = rng.choice((a, b)).source if a.source != b.source else a.source
        training = tuple(gene if gene in b.training else rng.choice(_of_name(gene[0], a, b)) for gene in a.training)
        nodes = [settled(node, space, shape.width, rng) for node in nodes]
        rank = fitting_rank(shape.rank, shape.width, space)
        child = Genotype(shape.width, rank, pooled.pooling, tuple(nodes), source, training)
        if space.is_legal(child) and child.id not in (a.id, b.id):
            return child
    return a


def _of_name(name: str, *parents: Genotype) -> list[tuple[str, GeneValue]]:
    """The settings of a name that parents have for their training."""
    return [gene for parent in parents for gene in parent.training if gene[0] == name]


def _by_depth(genotype: Genotype) -> Genotype:
    """The genotype with its nodes ordered by depth, equals in canonical order."""
    canonical = genotype.canonical()
    layers = nx.topological_generations(canonical.graph)
    order = [name for layer in layers for name in sorted(layer) if name != SOURCE]
    position = {SOURCE: SOURCE} | {old: new for new, old in enumerate(order, start=1)}
    nodes = tuple(_renumbered(canonical.nodes[old - 1], position) for old in order)
    return canonical.with_(nodes=nodes)


def _renumbered(node: Node, position: dict[int, int]) -> Node:
    return node.with_(inputs=tuple(position[read] for read in node.inputs))


def _exchanged(a: tuple[Node, ...], b: tuple[Node, ...], rng: random.Random) -> list[Node]:
    """The nodes of `a`, with a random slice replaced by the slice of `b` between the same shares of its length."""
    start = rng.randint(1, len(a))
    end = rng.randint(start, len(a))  # positions, both inclusive
    start_b = min(1 + round((start - 1) * len(b) / len(a)), len(b))
    end_b = max(round(end * len(b) / len(a)), start_b)
    taken = end_b - start_b + 1
    # New positions of the nodes of b; those before its slice are found at the same share of a's start.
    from_b = {read: _aligned(read, start_b - 1, start - 1) for read in range(start_b)}
    from_b |= {start_b + step: start + step for step in range(taken)}
    # New positions of the nodes of a; the replaced ones are found at the same share of the new slice.
    replaced = end - start + 1
    from_a = {read: read for read in range(start)}
    from_a |= {start + step: start + _aligned(step, replaced - 1, taken - 1) for step in range(replaced)}
    from_a |= {read: read - replaced + taken for read in range(end + 1, len(a) + 1)}
    return [
        *a[: start - 1],
        *(rewired(node, from_b) for node in b[start_b - 1 : end_b]),
        *(rewired(node, from_a) for node in a[end:]),
    ]


def _aligned(step: int, steps: int, onto: int) -> int:
    """The step of 0..onto at the same share as `step` of 0..steps."""
    return round(step * onto / steps) if steps else onto
