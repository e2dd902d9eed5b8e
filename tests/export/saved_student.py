"""A student of every operation, its tokenizer and the facts of its card, as exports get them."""

from __future__ import annotations

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from rosearch.export.card import CardFacts
from rosearch.measurements import (
    Efficiency,
    Estimate,
    Latency,
    Measurements,
    Quality,
    Robustness,
    Training,
)
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "very", "good", "bad", "film", "text"]

# Every operation, merge and a second sink, so that what travels is all that a student can need.
GENOTYPE = Genotype(
    16,
    8,
    "attention",
    (
        Node.of("attention", heads=2, conv=True),
        Node.of("ffn", (1,), ratio=2, activation="relu2"),
        Node.of("conv", (0, 1), "gate", kernel=3),
        Node.of("separable_conv", (2, 3), "concat", kernel=3),
        Node.of("dilated_conv", (3,), kernel=3),
        Node.of("glu", (4, 5), "add"),
        Node.of("light_conv", (6,), kernel=3),
        Node.of("max_pool", (7,), kernel=3),
        Node.of("avg_pool", (7,), kernel=3),
        Node.of("identity", (8, 9), "add"),
        Node.of("glu", (0,)),
    ),
)


def share(value: float) -> Estimate:
    return Estimate(value, value - 0.05, value + 0.05, 200)


MEASUREMENTS = Measurements(
    Quality("accuracy", 0.83, 1000, share(0.83), macro_f1=0.82, largest_class_share=0.55),
    Efficiency(
        1_234_567, 345_678, 17.7, 31.2, 9_876_543, 12.3, 32, 4.9, (Latency(1, 2.5, 2.4, 2.9),), threads=2
    ),
    Training(100, 3200, 0.4, "float32"),
    Robustness(
        "deepwordbug", 3, 200, share(0.82), share(0.21), share(0.75), Estimate(31.4, 29.0, 33.8, 164),
        share(0.18), share(0.22), errors=2, seconds=9.0,
    ),
)  # fmt: skip

FACTS = CardFacts(
    name="sst2 best",
    task="sst2",
    problem="classification",
    labels=("negative", "positive"),
    texts=1,
    max_length=24,
    genotype=GENOTYPE,
    measurements=MEASUREMENTS,
    teacher="bert-base-uncased",
    run="sst2-0001",
    date="2024-01-31",
    candidates=24,
)


def make_tokenizer(words: list[str]) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
