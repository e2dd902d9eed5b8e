"""When two genotypes are the same architecture: an exact canonical form, and the id that is its hash.

No-ops are removed first: an identity of one input is its input, a mean of equal inputs is that input. Then colour
refinement with individualisation finds the smallest code over all orders of the nodes, as nauty does (McKay, 1981).
Colours alone (Weisfeiler-Lehman) collide from six nodes on, so every branch of a tie is tried. Branches that an
automorphism proves to be copies of one already seen are skipped.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any, TypeGuard

from rosearch.space.node import GeneValue, Node, Setting


@dataclass(frozen=True)
class CanonicalForm:
    """The working nodes in canonical order: index i has position i + 1, the source position 0."""

    kept: tuple[int, ...]  # position of each node in the genotype
    reads: tuple[tuple[int, ...], ...]  # canonical positions by port; sorted if the node adds
    output: tuple[int, ...]  # canonical positions whose mean is the output, sorted; a position may occur twice


def architecture_id(
    shape: tuple[int, int, str],
    nodes: Sequence[Node],
    sinks: Sequence[int],
    source: Iterable[tuple[str, Setting]],
    training: Iterable[tuple[str, GeneValue]] = (),
) -> str:
    """16 hex digits, equal for isomorphic genotypes and different for others (up to collisions of 64 bits).

    `shape` is width, rank and pooling; `source` holds the settings of the source that are not the defaults, `training`
    those of distillation that were chosen with the graph.
    """
    form = canonical_form(nodes, sinks)
    labelled = [[_label(nodes[old - 1], reads), reads] for old, reads in zip(form.kept, form.reads, strict=True)]
    told: list[object] = [*shape, labelled, form.output]
    if source:  # defaults add nothing, which keeps the ids from before the source had settings
        told.append(_spelled(source))
    if genes := dict(_spelled(training)):  # a mapping, which no settings of a source are
        told.append({"training": genes})
    text = json.dumps(told)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def canonical_form(nodes: Sequence[Node], sinks: Sequence[int]) -> CanonicalForm:
    """The canonical form of a graph: equal for two if and only if they are isomorphic with equal labels.

    `sinks` are the positions of the nodes whose mean is the output.
    """
    kept, reads, output = without_no_ops(nodes, sinks)
    working = [nodes[old - 1] for old in kept]
    labels = ["source", *(_label(node, inputs) for node, inputs in zip(working, reads, strict=True))]
    adds = [False, *(node.merge == "add" for node in working)]
    order = _Ordering(labels, [(), *reads], adds, output).smallest()
    position = {name: index for index, name in enumerate(order)}
    return CanonicalForm(
        tuple(kept[name - 1] for name in order[1:]),
        tuple(_renamed(reads[name - 1], position, adds[name]) for name in order[1:]),
        _renamed(output, position, True),
    )


def working_nodes(nodes: Sequence[Node], sinks: Sequence[int]) -> int:
    """The number of nodes that do something: all but identities of one input. Isomorphic graphs have the same."""
    return len(without_no_ops(nodes, sinks)[0])


def _label(node: Node, inputs: Sequence[int]) -> str:
    return json.dumps([node.op, node.merge if len(inputs) > 1 else "", _spelled(node.settings)])


def _spelled(settings: Iterable[tuple[str, GeneValue]]) -> list[tuple[str, GeneValue]]:
    """Settings sorted by name, all numbers as floats."""
    numbers = ((name, float(value) if _is_number(value) else value) for name, value in settings)
    return sorted(numbers, key=lambda setting: setting[0])


def _is_number(value: GeneValue) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def without_no_ops(
    nodes: Sequence[Node], sinks: Sequence[int]
) -> tuple[list[int], list[tuple[int, ...]], tuple[int, ...]]:
    """Positions of the kept nodes; their inputs and those of the output, as 0 (source) or 1 + index among the kept."""
    stands_for = {0: 0}
    kept: list[int] = []
    reads: list[tuple[int, ...]] = []
    for position, node in enumerate(nodes, start=1):
        inputs = tuple(stands_for[read] for read in node.inputs)
        if node.merge == "add":
            inputs = _without_common_repeats(inputs)
        if node.op == "identity" and len(inputs) == 1:
            stands_for[position] = inputs[0]
        else:
            kept.append(position)
            reads.append(inputs)
            stands_for[position] = len(kept)
    return kept, reads, _without_common_repeats(tuple(stands_for[sink] for sink in sinks))


def _without_common_repeats(inputs: tuple[int, ...]) -> tuple[int, ...]:
    """Divides all multiplicities by their common divisor: the mean of (a, a, b, b) is the mean of (a, b)."""
    if len(inputs) == 1 or len(set(inputs)) == len(inputs):
        return inputs
    counts = Counter(inputs)
    common = gcd(*counts.values())
    return tuple(name for name in sorted(counts) for _ in range(counts[name] // common))


def _renamed(inputs: Iterable[int], position: dict[int, int], is_set: bool) -> tuple[int, ...]:
    renamed = [position[read] for read in inputs]
    return tuple(sorted(renamed)) if is_set else tuple(renamed)


class _Ordering:
    """The search for the order of nodes with the smallest code; node 0, the source, comes first."""

    def __init__(self, labels: list[str], reads: list[tuple[int, ...]], adds: list[bool], output: tuple[int, ...]):
        self.reads, self.adds, self.output = reads, adds, output
        self.readers: list[list[tuple[int, int]]] = [[] for _ in labels]
        depth = [0] * len(labels)
        for name, inputs in enumerate(reads):
            depth[name] = max((depth[read] + 1 for read in inputs), default=0)
            for port, read in enumerate(inputs):
                self.readers[read].append((name, 0 if adds[name] else port))
        # Depth leads the key and refinement only splits colours, so sorting by colour gives a topological order.
        self.start = _ranked([(depth[name], label, output.count(name)) for name, label in enumerate(labels)])
        self.code: list[Any] | None = None
        self.order: list[int] = []
        self.path: tuple[int, ...] = ()  # nodes individualised on the way to the smallest code
        self.automorphisms: list[list[int]] = []

    def smallest(self) -> list[int]:
        self._visit(self.start, ())
        return self.order

    def _visit(self, colours: list[int], path: tuple[int, ...]) -> int:
        """Tries every order that respects the colours; returns the depth at which the search goes on."""
        colours = self._refined(colours)
        cell = _first_tie(colours)
        if not cell:
            return self._compare(sorted(range(len(colours)), key=colours.__getitem__), path)
        tried: list[int] = []
        for name in cell:
            if name in self._orbit(tried, path):
                continue
            tried.append(name)
            split = [2 * colour for colour in colours]
            split[name] -= 1
            if (back := self._visit(split, (*path, name))) < len(path):
                return back
        return len(path)

    def _refined(self, colours: list[int]) -> list[int]:
        """Splits colours by those of inputs and readers (with ports) until they are stable."""
        while True:
            seen = []
            for name, inputs in enumerate(self.reads):
                above = tuple(colours[read] for read in inputs)
                below = sorted((colours[reader], port) for reader, port in self.readers[name])
                seen.append((colours[name], tuple(sorted(above)) if self.adds[name] else above, tuple(below)))
            refined = _ranked(seen)
            if max(refined) + 1 == len(set(colours)):
                return refined
            colours = refined

    def _compare(self, order: list[int], path: tuple[int, ...]) -> int:
        """Keeps the order with the smallest code. An equal code is an automorphism, and its branch is left."""
        position = {name: index for index, name in enumerate(order)}
        code: list[Any] = [_renamed(self.reads[name], position, self.adds[name]) for name in order]
        code.append(_renamed(self.output, position, True))
        if self.code is None or code < self.code:
            self.code, self.order, self.path = code, order, path
        elif code == self.code:
            self.automorphisms.append([now for _, now in sorted(zip(self.order, order, strict=True))])
            return next(depth for depth, (a, b) in enumerate(zip(self.path, path, strict=True)) if a != b)
        return len(path)

    def _orbit(self, names: list[int], path: tuple[int, ...]) -> set[int]:
        """The orbit of some names under the automorphisms that fix the path."""
        fixing = [mapping for mapping in self.automorphisms if all(mapping[name] == name for name in path)]
        orbit, fresh = set(names), list(names)
        while fresh:
            name = fresh.pop()
            reached = {mapping[name] for mapping in fixing} - orbit
            orbit |= reached
            fresh.extend(reached)
        return orbit


def _ranked(keys: Sequence[Any]) -> list[int]:
    rank: dict[Hashable, int] = {key: index for index, key in enumerate(sorted(set(keys)))}
    return [rank[key] for key in keys]


def _first_tie(colours: list[int]) -> list[int]:
    """The names that share the smallest repeated colour; empty if all colours differ."""
    names: dict[int, list[int]] = {}
    for name, colour in enumerate(colours):
        names.setdefault(colour, []).append(name)
    return min(((colour, cell) for colour, cell in names.items() if len(cell) > 1), default=(0, []))[1]
