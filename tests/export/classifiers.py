"""Exported folders of students and of models of transformers' own, with random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from export.saved_student import FACTS, WORDS, make_tokenizer
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from rosearch.export.targets.huggingface import export_model, export_student
from rosearch.measurements import Estimate, FormatFigures
from rosearch.space.genotype import Genotype
from rosearch.student.build import build_student

Problem = Literal["classification", "regression"]
TINY: dict[str, Any] = {"vocab_size": len(WORDS), "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
FAMILIES = {
    "bert": lambda: BertForSequenceClassification(BertConfig(**TINY, intermediate_size=16, max_position_embeddings=32)),
    "roberta": lambda: RobertaForSequenceClassification(
        RobertaConfig(**TINY, intermediate_size=16, max_position_embeddings=34, type_vocab_size=1, pad_token_id=0)
    ),
    "distilbert": lambda: DistilBertForSequenceClassification(
        DistilBertConfig(
            vocab_size=len(WORDS), dim=16, n_heads=2, n_layers=1, hidden_dim=16, max_position_embeddings=32
        )
    ),
}


def exported_model(place: Path, family: str = "bert") -> Path:
    """A Hugging Face folder of a model of transformers' own with random weights; they are exported fastest."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = FAMILIES[family]()
    model.config.id2label = dict(enumerate(FACTS.labels))
    return export_model(model.eval(), make_tokenizer(WORDS), place / "out", FACTS)


def exported_student(place: Path, genotype: Genotype, problem: Problem = "classification") -> Path:
    """A Hugging Face folder of a student with random weights."""
    labels = () if problem == "regression" else ("negative", "positive")
    student = build_student(
        genotype, labels=labels, problem=problem, vocabulary=len(WORDS), positions=32, token_types=2, pad_token_id=0,
        dropout=0.1, seed=1, pieces=WORDS,
    )  # fmt: skip
    student.save_pretrained(place / "student")
    make_tokenizer(WORDS).save_pretrained(place / "tokenizer")
    facts = replace(FACTS, genotype=genotype, problem=problem, labels=labels)
    return export_student(place / "student", place / "tokenizer", place / "out", facts)


def as_good(plain: Path, other: Path) -> FormatFigures:
    """The figures of a file that passes every gate."""
    all_of_them = Estimate(1.0, 0.99, 1.0, 400)
    return FormatFigures("400 rows", "a machine", all_of_them, (), 1.0, 2.0, all_of_them, all_of_them)
