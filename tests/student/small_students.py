"""Small genotypes and students of several shapes, and batches for them."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from rosearch.space.genotype import Genotype
from rosearch.space.node import Node, Setting
from rosearch.space.rules import ACTIVATIONS, OPERATIONS
from rosearch.student.build import build_student
from rosearch.student.lexicon import SpelledEmbedding
from rosearch.student.modeling_rosearch import StudentForSequenceClassification

WIDTH, RANK, VOCABULARY, POSITIONS = 32, 16, 60, 24
PAD = 0

# Pieces of a vocabulary: reserved ones, inflected words, an accent, and what goes on a word.
_STEMS = ("play", "walk", "film", "terrible", "wonder", "uncharacteristically")
PIECES = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]", "a", "\u00e9", "[",
    *(stem + ending for stem in _STEMS for ending in ("", "s", "ed", "er", "ing", "y")),
    *("##" + ending for ending in ("s", "ed", "er", "ing", "y", "play", "a", "b", "c", "d", "e", "f", "g", "h")),
]  # fmt: skip
assert len(PIECES) == VOCABULARY

# Every value of every setting of the source.
SOURCES: dict[str, tuple[tuple[str, Setting], ...]] = {
    "typos": (("encoding", "typos"),),
    "synonyms": (("encoding", "synonyms"),),
    "both": (("encoding", "typos+synonyms"),),
    "cnn": (("characters", "cnn"),),
    "ngrams": (("characters", "ngrams"),),
    "dropped": (("token_dropout", 0.2),),
    "all": (("encoding", "typos"), ("characters", "cnn"), ("token_dropout", 0.3)),
}

_VALUES: dict[str, tuple[Setting, ...]] = {
    "heads": (1, 4),
    "conv": (False, True),
    "ratio": (0.5, 1.0, 2.0, 4.0),
    "activation": ACTIVATIONS,
    "kernel": (3, 5, 7, 15),
}

# Every operation of the registry with every combination of these values.
OPERATION_CASES: list[tuple[str, dict[str, Setting]]] = [
    (op, dict(zip(rules, values)))
    for op, rules in OPERATIONS.items()
    for values in product(*(_VALUES[name] for name in rules))
]


def case_name(case: tuple[str, dict[str, Setting]]) -> str:
    op, settings = case
    return "-".join([op, *map(str, settings.values())])


def single(op: str, settings: dict[str, Setting], pooling: str = "mean") -> Genotype:
    """A genotype of one node."""
    return Genotype(WIDTH, RANK, pooling, (Node.of(op, **settings),))


@st.composite
def genotypes(draw: st.DrawFn, poolings: tuple[str, ...], sourced: bool = False) -> Genotype:
    """Graphs of up to 6 nodes of any operations; `sourced` ones may spell their words."""
    nodes = []
    for place in range(draw(st.integers(1, 6))):
        op, values = draw(st.sampled_from([*OPERATION_CASES, ("identity", {})]))
        inputs = tuple(draw(st.lists(st.integers(0, place), min_size=1, max_size=3)))
        merge = draw(st.sampled_from(["add", "gate", "concat"])) if len(inputs) > 1 else "add"
        nodes.append(Node.of(op, inputs, merge, **values))
    spelled: tuple[tuple[str, Setting], ...] = ()
    if sourced:
        spelled = (("characters", draw(st.sampled_from(["none", "cnn", "ngrams"]))), ("token_dropout", 0.2))
    return Genotype(WIDTH, RANK, draw(st.sampled_from(poolings)), tuple(nodes), spelled)


# All merges, all poolings' worth of structure: a node read twice, a shared source, three sinks, a pure merge.
BRANCHING = Genotype(
    WIDTH,
    RANK,
    "attention",
    (
        Node.of("attention", (0,), heads=4, conv=True),
        Node.of("separable_conv", (0, 1), "gate", kernel=5),
        Node.of("light_conv", (1, 1), "concat", kernel=3),
        Node.of("ffn", (0, 2, 3), "add", ratio=2.0, activation="relu2"),
        Node.of("identity", (1, 4), "gate"),
        Node.of("max_pool", (2,), kernel=3),
        Node.of("avg_pool", (4, 3), "concat", kernel=3),
    ),
)


def small_student(genotype: Genotype = BRANCHING, **changes: Any) -> StudentForSequenceClassification:
    """The student of a genotype with tiny tables, in evaluation mode."""
    arguments: dict[str, Any] = {
        "labels": ("no", "yes"),
        "problem": "classification",
        "vocabulary": VOCABULARY,
        "positions": POSITIONS,
        "token_types": 2,
        "pad_token_id": PAD,
        "dropout": 0.1,
        "seed": 7,
        "pieces": PIECES,
    }
    return build_student(genotype, **(arguments | changes)).eval()


def padded_batch(lengths: tuple[int, ...] = (9, 4, 7), tokens: int = 11) -> dict[str, Tensor]:
    """Rows of those lengths, padded; the first three tokens of each are of type 0, the others of type 1."""
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(1, VOCABULARY, (len(lengths), tokens), generator=generator)
    mask = (torch.arange(tokens) < torch.tensor(lengths).unsqueeze(1)).long()
    types = (torch.arange(tokens) >= 3).long().expand(len(lengths), -1)
    return {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": types * mask}


def let_characters_speak(student: StudentForSequenceClassification) -> StudentForSequenceClassification:
    """The same student; where it has a network over characters, that adds something, as it does once trained."""
    words = student.get_input_embeddings()
    if isinstance(words, SpelledEmbedding):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            torch.nn.init.normal_(words.out.weight, std=0.1)
    return student
