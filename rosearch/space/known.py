"""Published architectures as genotypes: baselines, and warm starts of a search.

Each is as close as our operations allow. Ours are pre-norm where most of the originals are post-norm, a map from rank
to width always follows the embeddings, and no pooler layer precedes the classifier.
"""

from __future__ import annotations

from dataclasses import dataclass

from rosearch.errors import BadInput, Problem
from rosearch.space.genotype import Genotype, chain
from rosearch.space.node import Node


@dataclass(frozen=True)
class KnownArchitecture:
    """A genotype with its publication (`source`) and its differences from it (`note`)."""

    genotype: Genotype
    source: str
    note: str


def _transformer(layers: int, width: int, heads: int, ratio: float, rank: int) -> Genotype:
    block = [Node.of("attention", heads=heads, conv=False), Node.of("ffn", ratio=ratio, activation="gelu")]
    return Genotype(width, rank, "first", chain(block * layers))


def _nas_bert(slots: str, width: int, rank: int) -> Genotype:
    """A chain of `slots` in the paper's notation: M attention, S3 S5 S7 separable convolution. Heads of 64 features."""
    nodes = {
        "M": Node.of("attention", heads=width // 64, conv=False),
        **{f"S{kernel}": Node.of("separable_conv", kernel=kernel) for kernel in (3, 5, 7)},
    }
    return Genotype(width, rank, "first", chain(nodes[slot] for slot in slots.split()))


def _evolved_transformer() -> Genotype:
    wide = Node.of("ffn", ratio=4.0, activation="relu")
    nodes = (
        Node.of("glu"),
        wide.with_(inputs=(1,)),  # the left branch, from here
        Node.of("conv", (1,), kernel=3),  # the right branch
        Node.of("separable_conv", (2, 3), kernel=9),
        Node.of("attention", (4,), heads=8, conv=False),
        wide.with_(inputs=(5,)),
    )
    return Genotype(512, 128, "first", nodes)


def _adabert() -> Genotype:
    nodes = (
        Node.of("conv", (0,), kernel=3),  # first cell: only the source precedes it
        Node.of("dilated_conv", (0, 1), kernel=5),
        Node.of("max_pool", (1, 2), kernel=3),
        Node.of("conv", (1, 2, 3), kernel=5),  # second cell: reads the first as the mean of its nodes
        Node.of("dilated_conv", (3, 4), kernel=3),
        Node.of("avg_pool", (4, 5), kernel=3),
        Node.of("identity", (4,)),  # all three nodes of the last cell make the output
        Node.of("identity", (5,)),
    )
    return Genotype(128, 128, "mean", nodes)


_NAS_BERT = "Xu et al., NAS-BERT: Task-Agnostic and Adaptive-Size BERT Compression, KDD 2021 (arXiv 2105.14444)"
_NAS_BERT_NOTE = (
    "Published: slots, width and rank. Ours: heads of 64 features, a lighter separable convolution "
    "(so that there are fewer parameters than the name says)."
)

KNOWN: dict[str, KnownArchitecture] = {
    "static": KnownArchitecture(
        Genotype(128, 128, "mean", (Node.of("identity", (0,)),)),
        "Joulin et al., Bag of Tricks for Efficient Text Classification, EACL 2017 (arXiv 1607.01759)",
        "The floor of cost: a mean of static word vectors and a linear layer. Ours: the tokenizer's pieces in place "
        "of words and n-grams, with their positions, a norm before the linear layer, width and rank 128.",
    ),
    "tinybert4": KnownArchitecture(
        _transformer(layers=4, width=312, heads=12, ratio=1200 / 312, rank=312),
        "Jiao et al., TinyBERT: Distilling BERT for Natural Language Understanding, 2020 (arXiv 1909.10351)",
        "Published: 4 layers, width 312, FFN 1200, 12 heads. Ours: rank equal to the width.",
    ),
    "bert_mini": KnownArchitecture(
        _transformer(layers=4, width=256, heads=4, ratio=4.0, rank=256),
        "Turc et al., Well-Read Students Learn Better, 2019 (arXiv 1908.08962)",
        "Published: 4 layers, width 256, FFN 1024, 4 heads. Ours: rank equal to the width.",
    ),
    "nas_bert_5m": KnownArchitecture(
        _nas_bert("S3 S7 M S7 S7 M S3 M S7 S5 M S3", width=192, rank=64), _NAS_BERT, _NAS_BERT_NOTE
    ),
    "nas_bert_10m": KnownArchitecture(
        _nas_bert("S3 S5 M S3 S5 M S7 M S3 S7 M S3", width=384, rank=128), _NAS_BERT, _NAS_BERT_NOTE
    ),
    "nas_bert_15m": KnownArchitecture(
        _nas_bert("S3 M S5 S3 S3 S5 S5 S5 M S5 S5 S7 M S5 S5 S5 S5 S5 S3 S5 M S5 S3 S5", width=384, rank=128),
        _NAS_BERT,
        _NAS_BERT_NOTE,
    ),
    "evolved_transformer": KnownArchitecture(
        _evolved_transformer(),
        "So et al., The Evolved Transformer, ICML 2019 (arXiv 1901.11117), encoder block",
        "One block. Ours: both branches end at the width (in the paper one stays 4 x, one half as wide), a "
        "residual and a norm at every node, mean for sum, rank 128.",
    ),
    "adabert": KnownArchitecture(
        _adabert(),
        "Chen et al., AdaBERT: Task-Adaptive BERT Compression with Differentiable NAS, IJCAI 2020 (arXiv 2001.04246)",
        "The paper finds a cell per task. This one, of its operations and its three inner nodes of two "
        "inputs, is ours, as are the stack of two, operations on nodes (the paper's are on edges) and means "
        "in place of the attentive sum.",
    ),
    "autodistil": KnownArchitecture(
        _transformer(layers=11, width=352, heads=11, ratio=4.0, rank=352),
        "Xu et al., AutoDistil: Few-shot Task-agnostic Neural Architecture Search for Distilling Large "
        "Language Models, NeurIPS 2022 (arXiv 2201.12507)",
        "Published: 11 layers, width 352, 10 heads, FFN ratio 4. Ours: 11 heads (they must divide the "
        "width), rank equal to the width.",
    ),
}


def known_architecture(name: str) -> KnownArchitecture:
    """The published architecture of that name. Raises `BadInput` that lists the names."""
    if name not in KNOWN:
        raise BadInput(Problem("known architectures", name, f"one of {', '.join(KNOWN)}", repr(name)))
    return KNOWN[name]
