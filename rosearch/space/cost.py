"""Parameters and FLOPs of a student, counted from its genotype without building it.

The arithmetic mirrors the operations of the student package one to one; a test holds the two equal. Every operation
but identity has a LayerNorm of 2 x width parameters. Every linear map and convolution has a bias.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rosearch.space.genotype import Genotype
from rosearch.space.node import Setting

LIGHT_CONV_HEADS = 8  # kernels of a lightweight convolution, each shared by width / 8 channels
QKV_KERNEL = 3  # taps of the depthwise convolution after Q, K and V

# Sizes of the layers that read words by their characters; the student's lexicon has the same.
CHARACTER_IDS, CHARACTER_FEATURES = 256, 16
CHARACTER_PLACES = 17  # one mark (the piece begins or continues a word) and 16 characters
CHARACTER_KERNEL, CHARACTER_CHANNELS = 3, 64
BUCKETS = 8192  # hash buckets of the n-grams
POWER_STEPS = 8  # of the pooling mean_less_pc1: two products with all tokens each, and one before

_Settings = Mapping[str, Any]


@dataclass(frozen=True)
class ParameterCount:
    """`embeddings` counts all tables: words or n-grams, characters, positions, token types; `encoder` the rest."""

    total: int
    encoder: int
    embeddings: int


def count_parameters(
    genotype: Genotype,
    *,
    vocabulary: int = 30522,
    positions: int = 512,
    token_types: int = 2,
    labels: int = 2,
) -> ParameterCount:
    """Parameters of the student that a buildable genotype describes. The defaults are BERT's tables and two labels."""
    characters = str(genotype.source_setting["characters"])
    embeddings = embedding_parameters(genotype.rank, vocabulary, positions, token_types, characters)
    encoder = frame_parameters(genotype.width, genotype.rank, genotype.pooling, labels, characters)
    for node in genotype.nodes:
        encoder += operation_parameters(node.op, node.settings, genotype.width)
        if len(node.inputs) > 1:
            encoder += merge_parameters(node.merge, len(node.inputs), genotype.width)
    return ParameterCount(embeddings + encoder, encoder, embeddings)


def count_flops(genotype: Genotype, tokens: int, labels: int = 2) -> int:
    """FLOPs of one forward pass over `tokens` tokens: twice the multiply-adds of linear maps, convolutions, attention.

    All nodes count for all tokens: that a served student which pools the first token computes less stays out of it.
    A student reads the characters of each distinct token once; here all tokens count as distinct.
    """
    width = genotype.width
    multiply_adds = tokens * genotype.rank * width + width * labels
    if genotype.source_setting["characters"] == "cnn":
        taps = CHARACTER_PLACES * CHARACTER_KERNEL * CHARACTER_FEATURES
        multiply_adds += tokens * CHARACTER_CHANNELS * (taps + genotype.rank)
    if genotype.pooling == "attention":
        multiply_adds += tokens * width
    elif genotype.pooling == "mean_less_pc1":
        multiply_adds += (2 * POWER_STEPS + 1) * tokens * width
    for node in genotype.nodes:
        multiply_adds += _MULTIPLY_ADDS[node.op](width, tokens, node.setting)
        if len(node.inputs) > 1 and node.merge == "concat":
            multiply_adds += tokens * len(node.inputs) * width * width
    return 2 * multiply_adds


def embedding_parameters(
    rank: int, vocabulary: int, positions: int = 512, token_types: int = 2, characters: str = "none"
) -> int:
    """Parameters of the tables: words (or n-grams), positions, token types, each `rank` wide; and characters."""
    words = BUCKETS if characters == "ngrams" else vocabulary
    letters = CHARACTER_IDS * CHARACTER_FEATURES if characters == "cnn" else 0
    return (words + positions + token_types) * rank + letters


def frame_parameters(width: int, rank: int, pooling: str, labels: int = 2, characters: str = "none") -> int:
    """Parameters around the nodes: character network, rank-to-width map, two LayerNorms, pooling, classifier."""
    scores = _linear(width, 1) if pooling == "attention" else 0
    reader = 0
    if characters == "cnn":
        reader = _linear(CHARACTER_KERNEL * CHARACTER_FEATURES, CHARACTER_CHANNELS) + _linear(CHARACTER_CHANNELS, rank)
    return reader + _linear(rank, width) + 2 * _norm(width) + scores + _linear(width, labels)


@lru_cache(maxsize=4096)
def operation_parameters(op: str, settings: tuple[tuple[str, Setting], ...], width: int) -> int:
    """Parameters of one operation, with its LayerNorm and without its merge."""
    return _PARAMETERS[op](width, dict(settings))


def merge_parameters(merge: str, inputs: int, width: int) -> int:
    """Parameters of a merge of `inputs` >= 2 tensors of `width` features."""
    return _MERGE_PARAMETERS[merge](inputs, width)


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _norm(width: int) -> int:
    return 2 * width


def _depthwise(width: int, kernel: int) -> int:
    return kernel * width + width


def _inner(width: int, settings: _Settings) -> int:
    inner: int = round(settings["ratio"] * width)
    return inner


def _attention(w: int, s: _Settings) -> int:
    return _norm(w) + 4 * _linear(w, w) + (3 * _depthwise(w, QKV_KERNEL) if s["conv"] else 0)


def _separable(w: int, s: _Settings) -> int:
    kernel: int = s["kernel"]
    return _norm(w) + _depthwise(w, kernel) + 2 * _linear(w, w)


def _light(w: int, s: _Settings) -> int:
    kernel: int = s["kernel"]
    return _norm(w) + _linear(w, 2 * w) + LIGHT_CONV_HEADS * kernel + _linear(w, w)


_PARAMETERS: dict[str, Callable[[int, _Settings], int]] = {
    "attention": _attention,
    "ffn": lambda w, s: _norm(w) + _linear(w, _inner(w, s)) + _linear(_inner(w, s), w),
    "conv": lambda w, s: _norm(w) + _linear(s["kernel"] * w, w) + _linear(w, w),
    "separable_conv": _separable,
    "dilated_conv": _separable,
    "glu": lambda w, s: _norm(w) + _linear(w, 2 * w) + _linear(w, w),
    "light_conv": _light,
    "max_pool": lambda w, s: _norm(w),
    "avg_pool": lambda w, s: _norm(w),
    "identity": lambda w, s: 0,
}

_MERGE_PARAMETERS: dict[str, Callable[[int, int], int]] = {
    "add": lambda k, w: 0,
    "gate": lambda k, w: k * w,
    "concat": lambda k, w: _linear(k * w, w),
}

# (width, tokens, settings) to multiply-adds. A convolution counts all of its taps, also those over padding.
_MULTIPLY_ADDS: dict[str, Callable[[int, int, _Settings], int]] = {
    "attention": lambda w, t, s: 4 * t * w * w + 2 * t * t * w + (3 * t * QKV_KERNEL * w if s["conv"] else 0),
    "ffn": lambda w, t, s: 2 * t * w * _inner(w, s),
    "conv": lambda w, t, s: t * s["kernel"] * w * w + t * w * w,
    "separable_conv": lambda w, t, s: t * s["kernel"] * w + 2 * t * w * w,
    "dilated_conv": lambda w, t, s: t * s["kernel"] * w + 2 * t * w * w,
    "glu": lambda w, t, s: 3 * t * w * w,
    "light_conv": lambda w, t, s: 3 * t * w * w + t * s["kernel"] * w,
    "max_pool": lambda w, t, s: 0,
    "avg_pool": lambda w, t, s: 0,
    "identity": lambda w, t, s: 0,
}
