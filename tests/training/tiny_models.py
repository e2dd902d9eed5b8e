"""A tiny BERT, its tokenizer and a task that one word decides: everything real, in milliseconds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from rosearch.config.distillation import DistillationConfig
from rosearch.data.tasks import Split, Task
from rosearch.data.tokens import TokenisedSplit
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import build_student
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.training.method import TrainingInputs
from rosearch.training.outputs import TeacherOutputs

CPU = torch.device("cpu")
GOOD, BAD = ["good", "fine", "bright"], ["bad", "poor", "dull"]
FILLERS = ["the", "a", "film", "plot", "actor", "scene", "story", "music", "very", "was", "is", "of"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SMALLEST: dict[str, dict[str, Any]] = {
    "mate_kd": {
        "mate_kd": {
            "generator_layers": 1,
            "generator_steps_before": 2,
            "generator_steps": 1,
            "student_steps": 4,
            "tokens_at_once": 1024,
        }
    },
    # The word vectors of these models are some 20 times shorter than those the default sizes are for.
    "ad2": {"ad2": {"start": 0.005, "step_size": 0.015, "bound": 0.02}},
    "robust_kd": {"robust_kd": {"sources": ["characters"]}},
}
GENOTYPE = Genotype(
    16,
    8,
    "mean",
    (
        Node.of("attention", (0,), heads=2, conv=False),
        Node.of("separable_conv", (1,), kernel=3),
        Node.of("ffn", (2,), ratio=2.0, activation="gelu"),
    ),
)


def make_tokenizer(extra: tuple[str, ...] = (), *, token_types: bool = True) -> PreTrainedTokenizerFast:
    """One token a word, BERT's template; further words only make it another tokenizer.

    Without `token_types` it is that of a model that takes none, as DistilBERT.
    """
    words = [*SPECIAL, *GOOD, *BAD, *FILLERS, *extra]
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {f"{word.strip('[]').lower()}_token": word for word in SPECIAL}
    inputs = ["input_ids", *(["token_type_ids"] if token_types else []), "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=32, model_input_names=inputs, **special)


def make_split(rows: int, seed: int, kind: str = "sentence") -> Split:
    """Sentences with one telling word; pairs that agree or do not; or scores that count the good words."""
    rng = random.Random(seed)
    texts: list[tuple[str, ...]] = []
    labels: list[float] = []
    for _ in range(rows):
        words = rng.choices(FILLERS, k=rng.randint(3, 9))
        label = rng.randint(0, 1)
        if kind == "pair":
            first = rng.randint(0, 1)
            texts.append((_with(words, first, rng), _with(words[:3], label if first else 1 - label, rng)))
            labels.append(label)
        elif kind == "score":
            count = rng.randint(0, 4)
            texts.append((" ".join(rng.sample([*words, *rng.choices(GOOD, k=count)], k=len(words) + count)),))
            labels.append(count - 2.0)
        else:
            texts.append((_with(words, label, rng),))
            labels.append(label)
    return Split(tuple(texts), np.array(labels, np.float32 if kind == "score" else np.int64))


def _with(words: list[str], label: int, rng: random.Random) -> str:
    place = rng.randrange(len(words))
    return " ".join([*words[:place], rng.choice(GOOD if label else BAD), *words[place:]])


def make_task(kind: str = "sentence", train: int = 256, labels: tuple[str, ...] = ("negative", "positive")) -> Task:
    parts = [make_split(rows, seed, kind) for seed, rows in enumerate((train, 64, 64))]
    if kind == "score":
        return Task(kind, "regression", "pearson", (), *parts)
    return Task(kind, "classification", "accuracy", labels, *parts)


def bert_config(vocabulary: int, **changes: Any) -> BertConfig:
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 32,
        "pad_token_id": 0,
    }
    return BertConfig(vocab_size=vocabulary, **{**sizes, **changes})


def save_model(folder: Path, tokenizer: Any, *, seed: int = 0, head: bool = False, **changes: Any) -> Path:
    """A random BERT as a user's folder holds it: pretrained alone, or with a classification head."""
    kind = BertForSequenceClassification if head else BertModel
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        kind(bert_config(len(tokenizer), **changes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_masked_lm(folder: Path, tokenizer: Any, **changes: Any) -> Path:
    """A random masked LM that tells words apart, as the folder `masked_lm` of resources holds it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        sizes = {"initializer_range": 0.5, **changes}
        BertForMaskedLM(bert_config(len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_student(vocabulary: int, seed: int = 1, problem: Any = "classification") -> StudentForSequenceClassification:
    return build_student(
        GENOTYPE,
        labels=("negative", "positive") if problem == "classification" else (),
        problem=problem,
        vocabulary=vocabulary,
        positions=32,
        token_types=2,
        pad_token_id=0,
        dropout=0.1,
        seed=seed,
    )


def make_auto_student(kind: str, vocabulary: int, *, seed: int = 1, dropout: float = 0.1) -> PreTrainedModel:
    """A tiny classifier that is none of ours: `bert`, `distilbert` or `roberta`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drop = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
        if kind == "distilbert":
            sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48, "max_position_embeddings": 32}
            drops = {"dropout": dropout, "attention_dropout": dropout, "seq_classif_dropout": dropout}
            config = DistilBertConfig(vocab_size=vocabulary, pad_token_id=0, **sizes, **drops)
            return DistilBertForSequenceClassification(config)
        shared = bert_config(vocabulary, **drop).to_dict()
        if kind == "roberta":  # counts its positions from the padding's id on
            changes = {"max_position_embeddings": 40, "type_vocab_size": 1, "model_type": "roberta"}
            return RobertaForSequenceClassification(RobertaConfig(**{**shared, **changes}))
        return BertForSequenceClassification(BertConfig(**shared))


def config_of(method: str, **changes: Any) -> DistillationConfig:
    """One epoch in float32 of a method in its smallest form, that needs no word lists; `changes` win."""
    settings = {"epochs": 1, "learning_rate": 3e-3, "precision": "float32", **SMALLEST.get(method, {})}
    return DistillationConfig.model_validate({"method": method, **settings, **changes})


def make_inputs(
    config: DistillationConfig,
    tokenised: TokenisedSplit,
    outputs: TeacherOutputs,
    split: Split,
    tokenizer: Any,
    teacher: Path,
    cache: Path,
    **changes: Any,
) -> TrainingInputs:
    """The inputs of a training on the CPU with seed 1; `changes` are other fields of them."""
    fields = {
        "config": config,
        "problem": "classification",
        "tokenised": tokenised,
        "outputs": outputs,
        "texts": split.texts,
        "labels": split.labels,
        "tokenizer": tokenizer,
        "max_length": 16,
        "teacher": teacher,
        "cache": cache,
        "device": CPU,
        "seed": 1,
    }
    return TrainingInputs(**{**fields, **changes})


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
