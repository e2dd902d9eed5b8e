"""An architecture in numbers: the features that the statistics use."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from rosearch.space.cost import count_parameters
from rosearch.space.encoder_space import encoder_of
from rosearch.space.genes import GENES, all_in_words, key_of
from rosearch.space.genotype import Genotype
from rosearch.space.identity import without_no_ops
from rosearch.space.node import SOURCE, GeneValue, Node

# Which operations count towards which share. Identities that merge inputs count in the denominator only.
SHARES: dict[str, frozenset[str]] = {
    "attention_share": frozenset({"attention"}),
    "convolution_share": frozenset({"conv", "separable_conv", "dilated_conv", "light_conv"}),
    "feed_forward_share": frozenset({"ffn"}),
    "pooling_share": frozenset({"max_pool", "avg_pool"}),
    "glu_share": frozenset({"glu"}),
}


def _training_meanings() -> Iterator[tuple[str, str]]:
    """A feature for each setting of the training that a space may choose, and for each name that its list may hold."""
    for gene in GENES:
        named, where = _feature(gene), f"`{gene}`, where the search chooses it"
        if names := key_of(gene).accepted:
            yield from ((f"{named}_{name}", f"share of {name} in {where}") for name in names)
        else:
            yield named, where + ("; 0 for none" if key_of(gene).type.endswith("or none") else "")


def _feature(gene: str) -> str:
    return gene.replace(".", "_")


# Every feature and what it means, in the order in which tables and figures show them.
FEATURES: dict[str, str] = {
    "depth": "operators on the longest path",
    "nodes": "operators, identities of one input left out",
    "edges": "reads between source, operators and output",
    "density": "edges, as a share of what a DAG of as many vertices can hold",
    "skips": "edges that span more than one level of depth",
    "inputs_per_node": "mean number of inputs of an operator",
    "attention_share": "operators that are attention",
    "convolution_share": "operators that are convolutions of any kind",
    "feed_forward_share": "operators that are feed-forward layers",
    "pooling_share": "operators that are max or average pooling",
    "glu_share": "operators that are gated linear units",
    "mean_kernel": "mean kernel of the operators that have one; missing where none has",
    "width": "features per token",
    "rank": "rank of the factorised embedding",
    "typo_encoding": "1 where the tokenizer reads typos as words, else 0",
    "synonym_encoding": "1 where the tokenizer reads synonyms as one, else 0",
    "character_cnn": "1 where a network over characters adds to the word table, else 0",
    "character_ngrams": "1 where character n-grams take the place of the word table, else 0",
    "token_dropout": "share of tokens without a lexical vector in training",
    **dict(_training_meanings()),
    "heads": "attention heads of a layer; missing where the operators are not the like layers of an encoder",
    "ffn": "features inside a feed-forward layer of an encoder; missing likewise",
    "relu": "1 where the layers of an encoder have relu, else 0; missing likewise",
    "silu": "1 where they have silu, else 0 (both 0: another, in KD-NAS gelu); missing likewise",
    "encoder_parameters": "parameters without the embedding tables",
    "parameters": "parameters in all",
}

OUTPUT = -1  # the vertex of the output in `Operators`


@dataclass(frozen=True)
class Operators:
    """The operators of a genotype by position, and who reads whom; the source is 0, the output -1.

    An identity of one input is replaced by what it reads; sinks go into the output. Plain data: a run is told and drawn
    without networkx.
    """

    nodes: Mapping[int, Node]
    reads: Mapping[int, tuple[int, ...]]  # what each operator and the output read, as often as they read it

    @classmethod
    def of(cls, genotype: Genotype) -> Operators:
        """Those of a genotype as it is numbered, means of equal inputs among them."""
        stands_for, nodes, reads = {SOURCE: SOURCE}, {}, {}
        for position, node in enumerate(genotype.nodes, start=1):
            inputs = tuple(stands_for[read] for read in node.inputs)
            if node.op == "identity" and len(inputs) == 1:
                stands_for[position] = inputs[0]
                continue
            stands_for[position], nodes[position], reads[position] = position, node, inputs
        reads[OUTPUT] = tuple(stands_for[sink] for sink in genotype.sinks)
        return cls(nodes, reads)

    @classmethod
    def working(cls, genotype: Genotype) -> Operators:
        """Those that do something: the same as in the canonical form, whose order takes longer to find."""
        kept, reads, output = without_no_ops(genotype.nodes, genotype.sinks)
        nodes = {place: genotype.nodes[position - 1] for place, position in enumerate(kept, start=1)}
        return cls(nodes, {**dict(enumerate(reads, start=1)), OUTPUT: output})

    @cached_property
    def edges(self) -> list[tuple[int, int]]:
        """Each reader with each vertex that it reads, once: (read, reader)."""
        return [(read, reader) for reader, inputs in self.reads.items() for read in dict.fromkeys(inputs)]

    @cached_property
    def level(self) -> dict[int, int]:
        """The longest path from the source to each vertex."""
        found = {SOURCE: 0}
        for reader, inputs in self.reads.items():
            found[reader] = 1 + max(found[read] for read in inputs)
        return found

    @property
    def pairs(self) -> list[str]:
        """The pairs of operations, the first read by the second: `conv>ffn`, each once, sorted."""
        nodes = self.nodes
        return sorted({f"{nodes[a].op}>{nodes[b].op}" for a, b in self.edges if a in nodes and b in nodes})


def architecture_features(genotype: Genotype, operators: Operators | None = None) -> dict[str, float]:
    """The `FEATURES` of a genotype. Equal genotypes have equal features: no-ops are collapsed, as in the id.

    The vertices are the source, the operators and the output, which reads every sink; a level is the longest
    path from the source. Parameters are counted for the default vocabulary and two labels. `mean_kernel` is
    NaN where no operator has a kernel (the convolutions inside attention are not counted); the features of encoders
    alone are NaN for other graphs. `operators` are those that do something, where they are known.
    """
    graph = Operators.working(genotype) if operators is None else operators
    nodes, edges, level = graph.nodes.values(), graph.edges, graph.level
    settings = [node.setting for node in nodes]
    kernels = [float(one["kernel"]) for one in settings if "kernel" in one]
    count = count_parameters(genotype)
    source = genotype.source_setting
    return {
        "depth": float(level[OUTPUT] - 1),
        "nodes": float(len(nodes)),
        "edges": float(len(edges)),
        "density": 2.0 * len(edges) / (len(level) * (len(level) - 1)),
        "skips": float(sum(level[reader] - level[read] > 1 for read, reader in edges)),
        "inputs_per_node": fmean(len(graph.reads[name]) for name in graph.nodes) if nodes else 0.0,
        **{share: _share(nodes, members) for share, members in SHARES.items()},
        "mean_kernel": fmean(kernels) if kernels else math.nan,
        "width": float(genotype.width),
        "rank": float(genotype.rank),
        # Indicators: rank correlations need an order, which kinds do not have.
        "typo_encoding": float("typos" in str(source["encoding"])),
        "synonym_encoding": float("synonyms" in str(source["encoding"])),
        "character_cnn": float(source["characters"] == "cnn"),
        "character_ngrams": float(source["characters"] == "ngrams"),
        "token_dropout": float(source["token_dropout"]),
        **_training_features(dict(genotype.training)),
        **_encoder_features(genotype, {node.op for node in nodes}),
        "encoder_parameters": float(count.encoder),
        "parameters": float(count.total),
    }


def _training_features(genes: Mapping[str, GeneValue]) -> dict[str, float]:
    """The settings of the training that a search chose. The others are missing, as the choices of an encoder are."""
    found: dict[str, float] = {}
    for gene in GENES:
        named, value, names = _feature(gene), genes.get(gene, math.nan), key_of(gene).accepted
        members = value if isinstance(value, tuple) else (value,)
        if not names:
            found[named] = 0.0 if value is None else float(value)  # type: ignore[arg-type]
        for name in names:
            found[f"{named}_{name}"] = math.nan if gene not in genes else members.count(name) / len(members)
    return found


def training_notes(students: Iterable[tuple[str, Genotype]]) -> list[str]:
    """A line for each training that a search chose for some of these students, with their names."""
    told: dict[str, list[str]] = {}
    for name, genotype in students:
        if genotype.training:
            told.setdefault(all_in_words(genotype.training), []).append(name)
    return [f"trained with {training}: {', '.join(names)}" for training, names in told.items()]


def _encoder_features(genotype: Genotype, operations: set[str]) -> dict[str, float]:
    """The choices of an encoder besides `depth` and `width`. Other graphs have none: each feature costs every other
    one significance.
    """
    none = dict.fromkeys(("heads", "ffn", "relu", "silu"), math.nan)
    if operations != {"attention", "ffn"}:
        return none
    try:
        encoder = encoder_of(genotype)
    except ValueError:
        return none
    activations = {name: float(encoder.activation == name) for name in ("relu", "silu")}
    return {"heads": float(encoder.heads), "ffn": float(encoder.ffn), **activations}


def _share(nodes: Collection[Node], members: frozenset[str]) -> float:
    return sum(node.op in members for node in nodes) / len(nodes) if nodes else 0.0
