"""The space of graphs (RoSearch): which DAGs of operators a search may visit, with checks, sampling and enumeration.

The sampling distribution is ours. Width, rank, pooling, the settings of source and training, the number of nodes,
operations and their settings are uniform. A node reads the one before it with probability 0.6 (otherwise deep graphs
would be rare), and a single input with probability 0.5.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, permutations, product
from typing import TypeVar

from rosearch.errors import BadInput, Problem
from rosearch.space.cost import (
    count_parameters,
    embedding_parameters,
    frame_parameters,
    merge_parameters,
    operation_parameters,
)
from rosearch.space.fitting import distance, nearest, snapped, without_unknown
from rosearch.space.genes import fitted_genes, foreign_genes
from rosearch.space.genotype import SOURCE_DEFAULTS, Genotype
from rosearch.space.identity import working_nodes
from rosearch.space.node import SOURCE, GeneValue, Node, Setting
from rosearch.space.rules import structural_problems
from rosearch.space.space import Space

TRIES = 2000  # genotypes drawn before sampling gives up
TRIES_PER_SHAPE = 6  # consecutive draws with one width and rank, so that pairs with few legal genotypes do not vanish
_READS_PREVIOUS = 0.6
_READS_ONE = 0.5

Settings = Mapping[str, tuple[Setting, ...]]
_V = TypeVar("_V")


@dataclass(frozen=True)
class SearchSpace(Space):
    """Bounds on graphs of operators.

    `operations` maps each operation to the allowed values of its settings; `source` does the same for the source, and
    `training` for settings of distillation, of which a genotype has all that are listed, and no other.
    `min_nodes` counts working nodes (an identity of one input is none), `max_nodes` all nodes. The window
    `min_parameters` to `max_parameters` counts the whole student for two labels, embeddings of `vocabulary` words
    included.
    """

    name: str
    min_nodes: int
    max_nodes: int
    max_inputs: int
    merges: tuple[str, ...]
    widths: tuple[int, ...]
    ranks: tuple[int, ...]
    poolings: tuple[str, ...]
    operations: Mapping[str, Settings]
    vocabulary: int
    min_parameters: int
    max_parameters: int
    source: Settings = field(default_factory=lambda: {name: (value,) for name, value in SOURCE_DEFAULTS.items()})
    training: Mapping[str, tuple[GeneValue, ...]] = field(default_factory=dict)

    def operations_at(self, width: int) -> Mapping[str, Settings]:
        """The operations possible at a width, with the values that suit it: heads must divide the width."""
        known = self._operations_at.get(width)
        return _suited(self.operations, width) if known is None else known

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The pairs of width and rank whose parameter range meets the window (a necessary condition)."""
        widths = [width for width in self.widths if set(self.operations_at(width)) - {"identity"}]
        pairs = [(width, rank) for width in widths for rank in self.ranks if rank <= width]
        ranges = {pair: self.parameter_range(*pair) for pair in pairs}
        return tuple(
            pair for pair, (low, high) in ranges.items() if low <= self.max_parameters and high >= self.min_parameters
        )

    def parameter_range(self, width: int, rank: int) -> tuple[int, int]:
        """Bounds on the parameters of all genotypes of a width and rank, from the cheapest and dearest nodes."""
        frames = [
            embedding_parameters(rank, self.vocabulary, characters=str(characters))
            + frame_parameters(width, rank, pooling, characters=str(characters))
            for characters in self.source["characters"]
            for pooling in self.poolings
        ]
        nodes = [
            operation_parameters(op, settings, width)
            for op, choices in self.operations_at(width).items()
            for settings in _combinations(choices)
        ]
        arities = range(2, self.max_inputs + 1)
        merges = [merge_parameters(merge, inputs, width) for merge in self.merges for inputs in arities]
        dearest = max(nodes, default=0) + max(merges, default=0)
        return min(frames) + self.min_nodes * min(nodes, default=0), max(frames) + self.max_nodes * dearest

    @property
    def encodings(self) -> tuple[str, ...]:
        """See `Space`."""
        return tuple(str(encoding) for encoding in self.source["encoding"])

    @property
    def most_layers(self) -> int:
        """See `Space`; the bound assumes all nodes in one chain."""
        return self.max_nodes

    def describe(self) -> str:
        """See `Space`."""
        return f"{self.min_nodes} to {self.max_nodes} nodes, {len(self.operations)} operations"

    def violations(self, genotype: Genotype) -> list[str]:
        """See `Space`."""
        if problems := structural_problems(genotype):
            return problems
        total = len(genotype.nodes)
        if total > self.max_nodes:
            problems.append(f"at most {self.max_nodes} nodes are allowed, got {total}")
        working = working_nodes(genotype.nodes, genotype.sinks)
        if working < self.min_nodes:
            problems.append(f"at least {self.min_nodes} nodes that do something are needed, got {working}")
        for name, value, allowed in (
            ("width", genotype.width, self.widths),
            ("rank", genotype.rank, self.ranks),
            ("pooling", genotype.pooling, self.poolings),
        ):
            if value not in allowed:
                problems.append(f"{name} must be one of {', '.join(map(str, allowed))}, got {value}")
        for name, chosen in genotype.source_setting.items():
            if chosen not in self.source[name]:
                problems.append(f"source.{name} must be one of {', '.join(map(str, self.source[name]))}, got {chosen}")
        problems.extend(foreign_genes(genotype.training, self.training))
        for position, node in enumerate(genotype.nodes, start=1):
            problems.extend(f"node {position}: {problem}" for problem in _node_violations(node, self))
        parameters = count_parameters(genotype, vocabulary=self.vocabulary).total
        if not self.min_parameters <= parameters <= self.max_parameters:
            window = f"{self.min_parameters:,} to {self.max_parameters:,}"
            problems.append(f"parameters must be {window}, got {parameters:,}")
        return problems

    def sample(self, rng: random.Random) -> Genotype:
        """See `Space`. Raises `BadInput` if all of `TRIES` draws broke a rule, as with a window that is too narrow."""
        broken: Counter[str] = Counter()
        for attempt in range(TRIES):
            if attempt % TRIES_PER_SHAPE == 0:
                width, rank = rng.choice(self.shapes) if self.shapes else (self.widths[0], self.ranks[0])
                pooling = rng.choice(self.poolings)
                source, training = sample_source(self, rng), sample_training(self, rng)
            count = rng.randint(self.min_nodes, self.max_nodes)
            nodes = tuple(sample_node(self, width, position, rng) for position in range(1, count + 1))
            genotype = Genotype(width, rank, pooling, nodes, source, training)
            if not (problems := self.violations(genotype)):
                return genotype
            broken.update(problem.split(", got ")[0] for problem in problems)
        rule, times = broken.most_common(1)[0]
        got = f"{times} of {TRIES} random genotypes that break one rule: {rule}"
        raise BadInput(Problem(f"search space {self.name}", "", "legal genotypes", got, "Widen the space."))

    def genotypes(self) -> Iterator[Genotype]:
        """See `Space`. A node reads distinct inputs.

        Time and memory grow with the space: this is meant for a few nodes and operations.
        """
        seen: set[str] = set()
        for count in range(self.min_nodes, self.max_nodes + 1):
            chosen = list(_combinations(self.source)), list(_combinations(self.training))
            frames = product(self.shapes, self.poolings, *chosen)
            for (width, rank), pooling, source, training in frames:
                choices = [list(_possible_nodes(self, width, position)) for position in range(1, count + 1)]
                for nodes in product(*choices):
                    genotype = Genotype(width, rank, pooling, nodes, source, training)
                    if self.is_legal(genotype) and genotype.id not in seen:
                        seen.add(genotype.id)
                        yield genotype

    def fit(self, genotype: Genotype) -> Genotype:
        """See `Space`. A legal genotype is returned as it is.

        - Width and rank move to the nearest pair that allows a legal genotype.
        - Merges, pooling and settings move to the nearest value of the space; settings of source and training to its
          first.
        - A node whose operation the space lacks is removed; its readers then read its last input.
        - Surplus nodes are cut from the end, which keeps a pattern of blocks whole.
        """
        if self.is_legal(genotype):
            return genotype
        reasons: list[str] = []
        ours = genotype.source_setting
        source = tuple(
            (name, ours[name] if ours[name] in values else values[0]) for name, values in self.source.items()
        )
        training = fitted_genes(genotype.training, self.training)
        pooling = str(nearest(genotype.pooling, self.poolings))
        for width, rank in sorted(self.shapes, key=lambda shape: distance(genotype, shape)):
            operations = self.operations_at(width)
            nodes = without_unknown(genotype.nodes, operations)[: self.max_nodes]
            while len(nodes) >= self.min_nodes:
                moved = snapped(nodes, operations, self.merges, self.max_inputs)
                fitted = Genotype(width, rank, pooling, moved, source, training)
                if not (problems := self.violations(fitted)):
                    return fitted
                reasons = reasons or problems
                nodes = nodes[:-1]
            reasons = reasons or [f"{len(nodes)} of its nodes can stay, {self.min_nodes} are needed"]
        raise ValueError(f"does not fit the search space {self.name}: {'; '.join(reasons)}")

    @cached_property
    def _operations_at(self) -> dict[int, Mapping[str, Settings]]:
        return {width: _suited(self.operations, width) for width in self.widths}


def _suited(operations: Mapping[str, Settings], width: int) -> dict[str, Settings]:
    suited = {
        op: {
            name: tuple(value for value in values if name != "heads" or width % int(value) == 0)
            for name, values in choices.items()
        }
        for op, choices in operations.items()
    }
    return {op: choices for op, choices in suited.items() if all(choices.values())}


def _combinations(choices: Mapping[str, tuple[_V, ...]]) -> Iterator[tuple[tuple[str, _V], ...]]:
    """Every combination of values, in a node's form: pairs sorted by name."""
    names = sorted(choices)
    for values in product(*(choices[name] for name in names)):
        yield tuple(zip(names, values, strict=True))


def _node_violations(node: Node, space: SearchSpace) -> list[str]:
    problems = []
    if len(node.inputs) > space.max_inputs:
        problems.append(f"at most {space.max_inputs} inputs are allowed, got {len(node.inputs)}")
    if len(node.inputs) > 1 and node.merge not in space.merges:
        problems.append(f"merge must be one of {', '.join(space.merges)}, got {node.merge}")
    choices = space.operations.get(node.op)
    if choices is None:
        return [*problems, f"operation must be one of {', '.join(space.operations)}, got {node.op}"]
    for name, value in node.settings:
        if value not in choices[name]:
            allowed = ", ".join(map(str, choices[name]))
            problems.append(f"{node.op}.{name} must be one of {allowed}, got {value}")
    return problems


def sample_node(space: SearchSpace, width: int, position: int, rng: random.Random) -> Node:
    """A random node for a position (the first is 1) that reads distinct earlier positions, in their order."""
    op = rng.choice(tuple(space.operations_at(width)))
    settings = sample_settings(space, op, width, rng)
    most = min(space.max_inputs, position)
    count = 1 if most == 1 or rng.random() < _READS_ONE else rng.randint(2, most)
    inputs = {position - 1} if rng.random() < _READS_PREVIOUS else set()
    while len(inputs) < count:
        inputs.add(rng.randrange(position))
    merge = rng.choice(space.merges) if count > 1 else "add"
    return Node(op, tuple(sorted(settings.items())), tuple(sorted(inputs)), merge)


def sample_settings(space: SearchSpace, op: str, width: int, rng: random.Random) -> dict[str, Setting]:
    """Random settings of an operation, each a value of the space that suits the width.

    Raises `KeyError` if the space has no such operation at this width.
    """
    return {name: rng.choice(values) for name, values in space.operations_at(width)[op].items()}


def sample_source(space: SearchSpace, rng: random.Random) -> tuple[tuple[str, Setting], ...]:
    """Random settings of the source; a setting with a single choice draws no random number."""
    return tuple((name, rng.choice(values) if len(values) > 1 else values[0]) for name, values in space.source.items())


def sample_training(space: SearchSpace, rng: random.Random) -> tuple[tuple[str, GeneValue], ...]:
    """Random settings of the training; one with a single choice draws no random number."""
    choices = space.training.items()
    return tuple((name, rng.choice(values) if len(values) > 1 else values[0]) for name, values in choices)


def _possible_nodes(space: SearchSpace, width: int, position: int) -> Iterator[Node]:
    wirings: list[tuple[tuple[int, ...], str]] = [((read,), "add") for read in range(SOURCE, position)]
    for merge in space.merges:
        arrange = combinations if merge == "add" else permutations  # the ports of the others tell inputs apart
        for count in range(2, min(space.max_inputs, position) + 1):
            wirings.extend((inputs, merge) for inputs in arrange(range(SOURCE, position), count))
    for op, choices in space.operations_at(width).items():
        for settings, (inputs, merge) in product(list(_combinations(choices)), wirings):
            yield Node(op, settings, inputs, merge)
