"""When are two genotypes the same architecture? An exact canonical form, and the id that is its hash.

A Weisfeiler-Lehman hash alone collides from six nodes on, so colours only order the search here: the form is the
lexicographically smallest encoding over all topological orders, and ties are tried exhaustively.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rosearch.space.genotype import Genotype

_OUTPUT = -1


def genotype_id(genotype: Genotype) -> str:
    """16 hex digits that isomorphic genotypes share and others do not."""
    labels, reads, output = _reduced(genotype)
    order = _smallest_order(labels, reads, output)
    position = {0: 0} | {name: index for index, name in enumerate(order, start=1)}
    code = [[labels[name], _renamed(labels[name], reads[name], position)] for name in order]
    head = [genotype.width, genotype.rank, genotype.pooling]
    text = json.dumps([head, code, sorted(position[name] for name in output)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def canonical_order(genotype: Genotype) -> tuple[int, ...]:
    """The node positions of a genotype, as they are (no-ops kept), in the canonical order."""
    labels = {position: _label(node) for position, node in enumerate(genotype.nodes, start=1)}
    reads = {position: node.inputs for position, node in enumerate(genotype.nodes, start=1)}
    return _smallest_order(labels, reads, list(genotype.sinks))


def _label(node: Any) -> str:
    merge = node.merge if len(node.inputs) > 1 else ""  # one input has nothing to merge
    return json.dumps([node.op, merge, [list(pair) for pair in node.settings]])


def _reduced(genotype: Genotype) -> tuple[dict[int, str], dict[int, tuple[int, ...]], list[int]]:
    """Labels, inputs and what the output reads, with every identity of one input replaced by what it reads."""
    stands_for = {0: 0}
    labels: dict[int, str] = {}
    reads: dict[int, tuple[int, ...]] = {}
    for position, node in enumerate(genotype.nodes, start=1):
        inputs = tuple(stands_for[read] for read in node.inputs)
        if node.op == "identity" and len(inputs) == 1:
            stands_for[position] = inputs[0]
        else:
            stands_for[position] = position
            labels[position], reads[position] = _label(node), inputs
    return labels, reads, [stands_for[sink] for sink in genotype.sinks]


def _renamed(label: str, inputs: Sequence[int], position: dict[int, int]) -> list[int]:
    renamed = [position[read] for read in inputs]
    return sorted(renamed) if _commutes(label) else renamed


def _commutes(label: str) -> bool:
    return '", "add", [' in label  # the merge stands second in a label; adding forgets the ports


def _colours(labels: dict[int, str], reads: dict[int, tuple[int, ...]], output: list[int]) -> dict[int, str]:
    """Colours by label, inputs (with ports) and readers (with ports), refined until they stop splitting."""
    colours = {0: "source"} | dict(labels)
    readers: dict[int, list[tuple[int, int]]] = {name: [] for name in colours}
    for name, inputs in reads.items():
        for port, read in enumerate(inputs):
            readers[read].append((name, 0 if _commutes(labels[name]) else port))
    for name in output:
        readers[name].append((_OUTPUT, 0))
    colours[_OUTPUT] = "output"
    count = 0
    while len(set(colours.values())) > count:
        count = len(set(colours.values()))
        refined = {_OUTPUT: "output"}
        for name in readers:
            inputs = [colours[read] for read in reads.get(name, ())]
            if name and _commutes(labels[name]):
                inputs.sort()
            text = json.dumps([colours[name], inputs, sorted((colours[r], port) for r, port in readers[name])])
            refined[name] = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
        colours = refined
    return colours


def _smallest_order(labels: dict[int, str], reads: dict[int, tuple[int, ...]], output: list[int]) -> tuple[int, ...]:
    """The topological order whose sequence of (colour, input positions) is smallest; ties are all tried, but for twins."""
    colours = _colours(labels, reads, output)
    readers = {
        name: sorted((n, p) for n, inputs in reads.items() for p, read in enumerate(inputs) if read == name) for name in labels
    }
    best: tuple[list[Any], tuple[int, ...]] | None = None

    def extend(position: dict[int, int], order: tuple[int, ...], code: list[Any]) -> None:
        nonlocal best
        if best is not None and code > best[0][: len(code)]:
            return
        if len(order) == len(labels):
            code = [*code, sorted(position[name] for name in output)]
            if best is None or code < best[0]:
                best = (code, order)
            return
        ready = [n for n in labels if n not in position and all(read in position for read in reads[n])]
        keys = {n: [colours[n], _renamed(labels[n], reads[n], position)] for n in ready}
        smallest = min(keys.values())
        twins: set[str] = set()
        for name in ready:
            twin = json.dumps([keys[name], readers[name], output.count(name)])
            if keys[name] == smallest and twin not in twins:
                twins.add(twin)
                extend(position | {name: len(order) + 1}, (*order, name), [*code, smallest])

    extend({0: 0}, (), [])
    assert best is not None
    return best[1]
