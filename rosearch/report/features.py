"""An architecture in numbers: the features that the statistics use."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rosearch.space.cost import count_parameters
from rosearch.space.encoder_space import encoder_of
from rosearch.space.genotype import Genotype
from rosearch.space.node import SOURCE

if TYPE_CHECKING:
    import networkx as nx  # a look at a run draws without it

# Which operations count towards which share. Identities that merge inputs count in the denominator only.
SHARES: dict[str, frozenset[str]] = {
    "attention_share": frozenset({"attention"}),
    "convolution_share": frozenset({"conv", "separable_conv", "dilated_conv", "light_conv"}),
    "feed_forward_share": frozenset({"ffn"}),
    "pooling_share": frozenset({"max_pool", "avg_pool"}),
    "glu_share": frozenset({"glu"}),
}

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
    "heads": "attention heads of a layer; missing where the operators are not the like layers of an encoder",
    "ffn": "features inside a feed-forward layer of an encoder; missing likewise",
    "relu": "1 where the layers of an encoder have relu, else 0; missing likewise",
    "silu": "1 where they have silu, else 0 (both 0: another, in KD-NAS gelu); missing likewise",
    "encoder_parameters": "parameters without the embedding tables",
    "parameters": "parameters in all",
}

OUTPUT = -1  # the vertex of the output in `operator_graph`


def architecture_features(genotype: Genotype, graph: nx.DiGraph | None = None) -> dict[str, float]:
    """The `FEATURES` of a genotype. Equal genotypes have equal features: no-ops are collapsed, as in the id.

    The vertices are the source, the operators and the output, which reads every sink; a level is the longest
    path from the source. Parameters are counted for the default vocabulary and two labels. `mean_kernel` is
    NaN where no operator has a kernel (the convolutions inside attention are not counted); the features of encoders
    alone are NaN for other graphs. `graph` is its `operator_graph`, where that is known.
    """
    import networkx as nx

    graph = operator_graph(genotype) if graph is None else graph
    operators = [data for name, data in graph.nodes(data=True) if name not in (SOURCE, OUTPUT)]
    level = {name: depth for depth, names in enumerate(nx.topological_generations(graph)) for name in names}
    kernels = [float(data["settings"]["kernel"]) for data in operators if "kernel" in data["settings"]]
    count = count_parameters(genotype)
    source = genotype.source_setting
    return {
        "depth": float(level[OUTPUT] - 1),
        "nodes": float(len(operators)),
        "edges": float(graph.number_of_edges()),
        "density": 2.0 * nx.density(graph),  # networkx divides by what a graph with cycles can hold
        "skips": float(sum(level[reader] - level[read] > 1 for read, reader in graph.edges)),
        "inputs_per_node": fmean(data["inputs"] for data in operators) if operators else 0.0,
        **{share: _share(operators, members) for share, members in SHARES.items()},
        "mean_kernel": fmean(kernels) if kernels else math.nan,
        "width": float(genotype.width),
        "rank": float(genotype.rank),
        # Indicators: rank correlations need an order, which kinds do not have.
        "typo_encoding": float("typos" in str(source["encoding"])),
        "synonym_encoding": float("synonyms" in str(source["encoding"])),
        "character_cnn": float(source["characters"] == "cnn"),
        "character_ngrams": float(source["characters"] == "ngrams"),
        "token_dropout": float(source["token_dropout"]),
        **_encoder_features(genotype),
        "encoder_parameters": float(count.encoder),
        "parameters": float(count.total),
    }


def _encoder_features(genotype: Genotype) -> dict[str, float]:
    """The choices of an encoder besides `depth` and `width`. Other graphs have none: each feature costs every other
    one significance.
    """
    try:
        encoder = encoder_of(genotype)
    except ValueError:
        return dict.fromkeys(("heads", "ffn", "relu", "silu"), math.nan)
    activations = {name: float(encoder.activation == name) for name in ("relu", "silu")}
    return {"heads": float(encoder.heads), "ffn": float(encoder.ffn), **activations}


def operator_graph(genotype: Genotype) -> nx.DiGraph:
    """Source 0, operators by position, output -1; nodes carry op, settings and number of inputs.

    No-ops are gone, as in the genotype's canonical form: an identity of one input is replaced by what it
    reads, a mean of equal inputs by that input. Sinks go into the output.
    """
    import networkx as nx

    canonical = genotype.canonical()
    graph = nx.DiGraph()
    graph.add_node(SOURCE, op="source")
    stands_for = {SOURCE: SOURCE}
    for position, node in enumerate(canonical.nodes, start=1):
        reads = [stands_for[read] for read in node.inputs]
        if node.op == "identity" and len(reads) == 1:
            stands_for[position] = reads[0]
            continue
        stands_for[position] = position
        graph.add_node(position, op=node.op, settings=node.setting, inputs=len(reads))
        graph.add_edges_from((read, position) for read in reads)
    graph.add_node(OUTPUT, op="output")
    graph.add_edges_from((stands_for[sink], OUTPUT) for sink in canonical.sinks)
    return graph


def operation_pairs(graph: nx.DiGraph) -> list[str]:
    """The pairs of operations of an `operator_graph`, the first read by the second: `conv>ffn`, each once, sorted."""
    inner = (edge for edge in graph.edges if SOURCE not in edge and OUTPUT not in edge)
    return sorted({f"{graph.nodes[read]['op']}>{graph.nodes[reader]['op']}" for read, reader in inner})


def _share(operators: list[dict[str, Any]], members: frozenset[str]) -> float:
    return sum(data["op"] in members for data in operators) / len(operators) if operators else 0.0
