"""Mutations of graphs: pure functions of a legal genotype, its space and a generator, with a legal result."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

from rosearch.evolution.repair import added_input, fitting_rank, replaced_input, rewired, settled
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.space.search_space import SearchSpace, sample_node, sample_settings

Mutation = Callable[[Genotype, SearchSpace, random.Random], Genotype | None]

TRIES = 16  # draws before a mutation gives up; the size window of the space rejects most


def _always_legal(propose: Mutation) -> Mutation:
    """Draws until the child is legal and new; None if the mutation does not apply or all draws failed."""

    @functools.wraps(propose)
    def mutation(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
        for _ in range(TRIES):
            child = propose(genotype, space, rng)
            if child is None:
                return None
            if space.is_legal(child) and child.id != genotype.id:
                return child
        return None

    return mutation


@_always_legal
def replace_operation(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """One node gets another operation, with settings of its own; its wiring stays."""
    index = rng.randrange(len(genotype.nodes))
    node = genotype.nodes[index]
    others = [op for op in space.operations_at(genotype.width) if op != node.op]
    if not others:
        return None
    op = rng.choice(others)
    settings = sample_settings(space, op, genotype.width, rng)
    return _with_node(genotype, index, Node.of(op, node.inputs, node.merge, **settings))


@_always_legal
def change_setting(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """One setting of one node takes another of its values."""
    choices = [
        (index, name, value)
        for index, node in enumerate(genotype.nodes)
        for name, now in node.settings
        for value in space.operations_at(genotype.width)[node.op][name]
        if value != now
    ]
    if not choices:
        return None
    # The node and the setting are drawn before the value: a setting of many values must not come more often.
    index, name = rng.choice(sorted({(index, name) for index, name, _ in choices}))
    value = rng.choice([value for at, key, value in choices if (at, key) == (index, name)])
    node = genotype.nodes[index]
    return _with_node(genotype, index, Node.of(node.op, node.inputs, node.merge, **{**node.setting, name: value}))


@_always_legal
def rewire_input(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """One node reads another input, one more or one less, or merges its inputs in another way."""
    changes = [
        (index, kind) for index, node in enumerate(genotype.nodes) for kind in _rewirings(node, index + 1, space)
    ]
    if not changes:
        return None
    index, kind = rng.choice(changes)
    node = genotype.nodes[index]
    unread = [read for read in range(index + 1) if read not in node.inputs]
    port = rng.randrange(len(node.inputs))
    match kind:
        case "move":
            changed = replaced_input(node, node.inputs[port], rng.choice(unread))
        case "add":
            changed = added_input(node, rng.choice(unread), space, rng)
        case "drop":
            changed = replaced_input(node, node.inputs[port])
        case _:
            changed = node.with_(merge=rng.choice([merge for merge in space.merges if merge != node.merge]))
    return _with_node(genotype, index, changed)


def _rewirings(node: Node, position: int, space: SearchSpace) -> list[str]:
    """The changes that the inputs of the node at `position` allow."""
    kinds = []
    if len(set(node.inputs)) < position:
        kinds.append("move")
        if len(node.inputs) < space.max_inputs:
            kinds.append("add")
    if len(set(node.inputs)) > 1:
        kinds.append("drop")
        if any(merge != node.merge for merge in space.merges):
            kinds.append("merge")
    return kinds


@_always_legal
def insert_node(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """A new node: on an edge, whose reader now reads it; or as a branch that a later node reads too."""
    if len(genotype.nodes) >= space.max_nodes:
        return None
    position = rng.randint(1, len(genotype.nodes) + 1)
    shifted = {read: read if read < position else read + 1 for read in range(len(genotype.nodes) + 1)}
    nodes = [rewired(node, shifted) for node in genotype.nodes]
    new = sample_node(space, genotype.width, position, rng)
    later = range(position - 1, len(nodes))  # indices before the insertion of the nodes that may read the new one
    if later:
        index = rng.choice(later)
        reader = nodes[index]
        if len(reader.inputs) < space.max_inputs and rng.random() < 0.5:
            nodes[index] = added_input(reader, position, space, rng)
        else:
            old = rng.choice(reader.inputs)
            nodes[index] = replaced_input(reader, old, position)
            new = new.with_(inputs=(old,), merge="add") if old < position else new
    nodes.insert(position - 1, new)
    return _with_nodes(genotype, nodes)


@_always_legal
def delete_node(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """One node goes; its readers read one of its inputs instead."""
    if len(genotype.nodes) <= max(space.min_nodes, 1):
        return None
    position = rng.randint(1, len(genotype.nodes))
    shifted = {read: read if read < position else read - 1 for read in range(len(genotype.nodes) + 1)}
    shifted[position] = rng.choice(genotype.nodes[position - 1].inputs)
    nodes = [rewired(node, shifted) for at, node in enumerate(genotype.nodes, start=1) if at != position]
    return _with_nodes(genotype, nodes)


@_always_legal
def swap_nodes(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """Two nodes exchange operation and settings; wiring and merges stay."""
    if len({(node.op, node.settings) for node in genotype.nodes}) < 2:
        return None
    first, second = rng.sample(range(len(genotype.nodes)), 2)
    nodes = list(genotype.nodes)
    a, b = nodes[first], nodes[second]
    nodes[first] = a.with_(op=b.op, settings=b.settings)
    nodes[second] = b.with_(op=a.op, settings=a.settings)
    return _with_nodes(genotype, nodes)


@_always_legal
def change_width(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """Another width. A rank above it falls to it, and settings that do not fit it (heads) are drawn anew."""
    others = [width for width in space.widths if width != genotype.width]
    if not others:
        return None
    width = rng.choice(others)
    nodes = tuple(settled(node, space, width, rng) for node in genotype.nodes)
    return genotype.with_(width=width, rank=fitting_rank(genotype.rank, width, space), nodes=nodes)


@_always_legal
def change_rank(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """Another rank of the factorised embedding, no larger than the width."""
    others = [rank for rank in space.ranks if rank != genotype.rank and rank <= genotype.width]
    return genotype.with_(rank=rng.choice(others)) if others else None


@_always_legal
def change_pooling(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """Another pooling."""
    others = [pooling for pooling in space.poolings if pooling != genotype.pooling]
    return genotype.with_(pooling=rng.choice(others)) if others else None


@_always_legal
def change_source(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """One setting of the source takes another of its values."""
    names = sorted(name for name, values in space.source.items() if len(values) > 1)
    if not names:
        return None
    name, now = rng.choice(names), genotype.source_setting
    value = rng.choice([value for value in space.source[name] if value != now[name]])
    return genotype.with_(source=tuple({**now, name: value}.items()))


@_always_legal
def change_training(genotype: Genotype, space: SearchSpace, rng: random.Random) -> Genotype | None:
    """One setting of the training takes another of its values; the architecture stays."""
    names = sorted(name for name, values in space.training.items() if len(values) > 1)
    if not names:
        return None
    name, now = rng.choice(names), dict(genotype.training)
    value = rng.choice([value for value in space.training[name] if value != now[name]])
    return genotype.with_(training=tuple({**now, name: value}.items()))


MUTATIONS: dict[str, Mutation] = {
    "replace_operation": replace_operation,
    "change_setting": change_setting,
    "rewire_input": rewire_input,
    "insert_node": insert_node,
    "delete_node": delete_node,
    "swap_nodes": swap_nodes,
    "change_width": change_width,
    "change_rank": change_rank,
    "change_pooling": change_pooling,
    "change_source": change_source,
    "change_training": change_training,
}


def mutations_of(space: SearchSpace) -> list[str]:
    """The names of the mutations of a space; `change_source` and `change_training` only if it has a choice of those."""
    choices = {"change_source": space.source.values(), "change_training": space.training.values()}
    without = {name for name, lists in choices.items() if all(len(values) < 2 for values in lists)}
    return sorted(MUTATIONS.keys() - without)


def _with_node(genotype: Genotype, index: int, node: Node) -> Genotype:
    return _with_nodes(genotype, [*genotype.nodes[:index], node, *genotype.nodes[index + 1 :]])


def _with_nodes(genotype: Genotype, nodes: list[Node]) -> Genotype:
    return genotype.with_(nodes=tuple(nodes))
