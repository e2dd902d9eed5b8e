"""Architectures in numbers, for regressions: counts of what a graph is made of, and its sizes.

`rosearch.report` has features that people read. These are more, cheaper, and nobody needs to know their names.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.node import SOURCE, GeneValue, Node

Table = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@lru_cache(maxsize=2048)  # a steady search asks for those under way each time
def features(genotype: Genotype) -> Mapping[str, float]:
    """The features of a genotype by name; one that is not there is 0.

    Of each operation: how often it stands, how deep, how often it reads the source and is read by the output, and its
    settings. Of the whole: nodes, depth, merges, pooling, settings of source and training, and logarithms of its sizes.
    """
    found: Counter[str] = Counter()
    depths, sinks = [0], set(genotype.sinks)
    for position, node in enumerate(genotype.nodes, start=1):
        depths.append(1 + max(depths[read] for read in node.inputs))
        found[f"op {node.op}"] += 1
        found[f"depth {node.op}"] += depths[-1]
        found[f"first {node.op}"] += SOURCE in node.inputs
        found[f"last {node.op}"] += position in sinks
        found.update(_of_node(node))
    sizes = {"width": genotype.width, "rank": genotype.rank, "parameters": tables_apart(genotype)}
    found.update({name: math.log(size) for name, size in sizes.items()})
    found.update({"nodes": len(genotype.nodes), "depth": max(depths), "sinks": len(sinks)})
    found.update([f"pooling {genotype.pooling}"])
    found.update(dict(_number("source", *setting) for setting in genotype.source_setting.items()))
    found.update(_of_training(genotype.training))
    return found


def tables_apart(genotype: Genotype) -> int:
    """Its parameters without a table of words, which a robust encoding may cut by a share that only a run knows."""
    return count_parameters(genotype, vocabulary=0).total


def table(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> Table:
    """Features as (rows, names)."""
    return np.array([[row.get(name, 0.0) for name in names] for row in rows], dtype=np.float64)


def farthest(genotypes: Sequence[Genotype], others: Sequence[Genotype], count: int) -> list[int]:
    """The places of `count` genotypes, each the farthest from those before it and from `others`, the first of equals.

    Distances are those of features, in units of their deviation among all.
    """
    if not genotypes:
        return []
    told = [features(genotype) for genotype in (*others, *genotypes)]
    rows = table(told, sorted(set().union(*told)))
    deviation = rows.std(axis=0)
    rows = rows / np.where(deviation > 0, deviation, 1.0)
    taken, rows = rows[: len(others)], rows[len(others) :]
    nearest = np.array([((taken - row) ** 2).sum(axis=1).min(initial=np.inf) for row in rows])
    places: list[int] = []
    while len(places) < min(count, len(genotypes)):
        places.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, ((rows - rows[places[-1]]) ** 2).sum(axis=1))
        nearest[places[-1]] = -1.0  # not twice
    return places


def _of_node(node: Node) -> dict[str, float]:
    told = dict(_number(node.op, *setting) for setting in node.settings)
    return told | ({f"merge {node.merge}": 1.0} if len(node.inputs) > 1 else {})


def _of_training(genes: Iterable[tuple[str, GeneValue]]) -> dict[str, float]:
    """Numbers as they are; of a list the share of each of its members."""
    found: dict[str, float] = {}
    for name, value in genes:
        members = value if isinstance(value, tuple) else (value,)
        for member in members:
            feature, number = _number("training", name, str(member) if member is None else member)
            found[feature] = found.get(feature, 0.0) + number / len(members)
    return found


def _number(of: str, name: str, value: Any) -> tuple[str, float]:
    """A number as it is, anything else as the presence of that value."""
    if isinstance(value, str | bool):
        return f"{of} {name} {value}", 1.0
    return f"{of} {name}", float(value)
