"""The limits of every search space: operations with their settings, merges, poolings, and the structural rules.

A search space chooses operations and values within these limits. The operations come from the spaces of NAS-BERT (Xu et
al. 2021), the Evolved Transformer (So et al. 2019), Primer (So et al. 2021), AdaBERT (Chen et al. 2020) and lightweight
convolutions (Wu et al. 2019). Their common shape (pre-norm, one width, own residual) is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic.config import JsonDict

from rosearch.errors import shown
from rosearch.space.genes import gene_problems
from rosearch.space.genotype import MAX_NODES, Genotype
from rosearch.space.node import Node, Setting

ACTIVATIONS = ("gelu", "relu", "silu", "relu2")  # relu2 is the squared ReLU of Primer
MERGES = ("add", "gate", "concat")  # mean of the inputs; learned share per channel; concatenate and project
POOLINGS = ("first", "mean", "attention", "mean_less_pc1")  # the last: without the first principal component
# Robust codes of words, by the tokenizer: no weights.
ENCODINGS = ("wordpiece", "typos", "task_typos", "synonyms", "typos+synonyms")
CHARACTERS = ("none", "cnn", "ngrams")  # a word table alone; with a network over letters; n-grams in its place
MAX_INPUTS = 3
WIDTH_STEP = 8  # lightweight convolutions share one kernel among an eighth of the channels
MAX_KERNEL = 31
MIN_RATIO, MAX_RATIO = 0.125, 8  # the inner width is at least 1, even at the smallest width


@dataclass(frozen=True)
class SettingRule:
    """The values that a setting may take: their type, a test, and the same as a JSON schema for editors."""

    kind: type[bool] | type[int] | type[float] | type[str]
    expected: str  # in words, for error messages
    accepts: Callable[[object], bool]
    schema: JsonDict


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_kernel(value: object) -> bool:
    return isinstance(value, int) and _is_whole(value) and 1 <= value <= MAX_KERNEL and value % 2 == 1


def _is_heads(value: object) -> bool:
    return isinstance(value, int) and _is_whole(value) and value >= 1


def _is_ratio(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and MIN_RATIO <= value <= MAX_RATIO


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


def _one_of(names: tuple[str, ...]) -> SettingRule:
    return SettingRule(str, f"one of {', '.join(names)}", lambda value: value in names, {"enum": [*names]})


HEADS = SettingRule(
    int, "a whole number of at least 1 that divides the width", _is_heads, {"type": "integer", "minimum": 1}
)
KERNEL = SettingRule(
    int, f"an odd whole number from 1 to {MAX_KERNEL}", _is_kernel, {"enum": [*range(1, MAX_KERNEL + 1, 2)]}
)
RATIO = SettingRule(
    float,
    f"a number from {MIN_RATIO} to {MAX_RATIO}",
    _is_ratio,
    {"type": "number", "minimum": MIN_RATIO, "maximum": MAX_RATIO},
)
FLAG = SettingRule(bool, "true or false", lambda value: isinstance(value, bool), {"type": "boolean"})
ACTIVATION = _one_of(ACTIVATIONS)
SHARE = SettingRule(
    float,
    "a number of at least 0 and below 1",
    _is_share,
    {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "unit": "share"},
)

# Settings of the source, node 0; none is required.
SOURCE_SETTINGS: Mapping[str, SettingRule] = {
    "encoding": _one_of(ENCODINGS),
    "characters": _one_of(CHARACTERS),
    "token_dropout": SHARE,
}

# Each operation maps (batch, tokens, width) to itself; all of its settings are required.
OPERATIONS: dict[str, Mapping[str, SettingRule]] = {
    "attention": {"heads": HEADS, "conv": FLAG},
    "ffn": {"ratio": RATIO, "activation": ACTIVATION},
    "conv": {"kernel": KERNEL},
    "separable_conv": {"kernel": KERNEL},
    "dilated_conv": {"kernel": KERNEL},
    "glu": {},
    "light_conv": {"kernel": KERNEL},
    "max_pool": {"kernel": KERNEL},
    "avg_pool": {"kernel": KERNEL},
    "identity": {},
}

# What each operation and setting does, as pages and editors say it.
MEANINGS: dict[str, str] = {
    "source.encoding": "How the tokenizer reads words: as the teacher's does, misspelt words as their most frequent "
    "neighbour (task_typos: every word that no training row holds is tried), synonyms as one, or both. No weight hangs "
    "on it.",
    "source.characters": "How a piece of the vocabulary becomes a vector: by a word table alone (none), with a network "
    "over its characters (cnn), or by hashed n-grams in place of the table.",
    "source.token_dropout": "Tokens that lose their word vector in training; nothing is drawn at inference.",
    "attention": "Multi-head self-attention.",
    "attention.heads": "Heads; only values that divide the width are used.",
    "attention.conv": "A depthwise convolution of 3 after each of queries, keys and values (Primer).",
    "ffn": "Two linear maps per token.",
    "ffn.ratio": "Inner width over width.",
    "ffn.activation": "Between the two maps; relu2 is the squared ReLU of Primer.",
    "conv": "A full convolution over adjacent tokens.",
    "separable_conv": "A depthwise convolution, then a pointwise one.",
    "dilated_conv": "Separable, with gaps of one token: it sees twice as far.",
    "glu": "A gated linear unit.",
    "light_conv": "A convolution whose softmaxed kernels are shared by groups of channels.",
    "max_pool": "The largest of adjacent tokens, per channel.",
    "avg_pool": "The mean of adjacent tokens, per channel.",
    "identity": "Of one input a skip connection, of several a pure merge.",
    **{f"{op}.kernel": "Tokens that one output sees." for op, rules in OPERATIONS.items() if "kernel" in rules},
}


def structural_problems(genotype: Genotype) -> list[str]:
    """Every reason why a genotype cannot be built, one line each; empty if it can."""
    width, rank = genotype.width, genotype.rank
    problems = []
    if not _is_whole(width) or width < WIDTH_STEP or width % WIDTH_STEP:
        problems.append(f"width must be a positive multiple of {WIDTH_STEP}, got {shown(width)}")
    if not _is_whole(rank) or not 1 <= rank <= width:
        problems.append(f"rank must be a whole number from 1 to the width ({width}), got {shown(rank)}")
    if genotype.pooling not in POOLINGS:
        problems.append(f"pooling must be one of {', '.join(POOLINGS)}, got {shown(genotype.pooling)}")
    if len(genotype.nodes) > MAX_NODES:
        problems.append(f"a genotype has at most {MAX_NODES} nodes, got {len(genotype.nodes)}")
    problems.extend(_setting_problems("source", genotype.source, SOURCE_SETTINGS))
    problems.extend(gene_problems(genotype.training))
    for position, node in enumerate(genotype.nodes, start=1):
        problems.extend(f"node {position}: {problem}" for problem in _node_problems(node, width))
    return problems


def _node_problems(node: Node, width: int) -> list[str]:
    problems = []
    if len(node.inputs) > MAX_INPUTS:
        problems.append(f"{node.op} reads {len(node.inputs)} inputs, at most {MAX_INPUTS} are possible")
    if node.merge not in MERGES:
        problems.append(f"merge must be one of {', '.join(MERGES)}, got {shown(node.merge)}")
    rules = OPERATIONS.get(node.op)
    if rules is None:
        return [*problems, f"unknown operation {shown(node.op)}, known are {', '.join(OPERATIONS)}"]
    problems += _setting_problems(node.op, node.settings, rules)
    problems += [
        f"{node.op}.heads must divide the width ({width}), got {value}"
        for name, value in node.settings
        if rules.get(name) is HEADS and isinstance(value, int) and HEADS.accepts(value) and width % value
    ]
    given = {name for name, _ in node.settings}
    return [*problems, *(f"{node.op} lacks its setting {name!r}" for name in rules if name not in given)]


def _setting_problems(
    op: str, settings: tuple[tuple[str, Setting], ...], rules: Mapping[str, SettingRule]
) -> list[str]:
    problems = []
    for name, value in settings:
        if name not in rules:
            problems.append(f"{op} has no setting {shown(name)}, it has {', '.join(rules) or 'none'}")
        elif not rules[name].accepts(value):
            problems.append(f"{op}.{name} must be {rules[name].expected}, got {shown(value)}")
    given = [name for name, _ in settings]
    return problems + [f"{op}.{name} is given twice" for name in rules if given.count(name) > 1]
