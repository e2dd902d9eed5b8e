"""A whole experiment in miniature: real code everywhere, a teacher of one layer, candidates that train in a moment."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from rosearch.measurements import to_json
from rosearch.records.record import Record
from rosearch.run.observer import Observer

WORDS = ["the", "a", "film", "plot", "actor", "scene", "was", "very", "never", "quite", "and", "but", "story", "music"]
WORDS += ["good", "bad", "slow", "bright", "dull", "clever"]
SPACE = {
    "name": "small",
    "min_nodes": 1,
    "max_nodes": 3,
    "max_inputs": 2,
    "merges": ["add", "gate"],
    "widths": [16, 24],
    "ranks": [8],
    "poolings": ["first", "mean"],
    "operations": {
        "attention": {"heads": [2, 4], "conv": [False]},
        "ffn": {"ratio": [1, 2], "activation": ["gelu"]},
        "glu": {},
    },
    "vocabulary": 100,
    "min_parameters": 1000,
    "max_parameters": 1_000_000,
}


class Quiet:
    """An observer that only remembers what finished."""

    def __init__(self) -> None:
        self.done: list[Record] = []
        self.titles: list[str] = []

    def progress(self, stage: str, done: int, total: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def batch(self, title: str, records: Sequence[Record]) -> None:
        self.titles.append(title)

    def started(self, record: Record) -> None:
        pass

    def stage(self, record: Record, stage: str, done: int, total: int) -> None:
        pass

    def finished(self, record: Record) -> None:
        self.done.append(record)


_: type[Observer] = Quiet  # mypy and readers: it is one


def write_experiment(folder: Path, problem: str = "regression", **changes: Any) -> Path:
    """Write data, teacher, space and experiment below `folder`; `changes` are sections merged into the defaults.

    A regression task is not attacked, so its runs do not pay for the import of textattack.
    """
    labels = ["negative", "positive"] if problem == "classification" else []
    folder.mkdir(exist_ok=True)
    _write_data(folder / "data", labels)
    write_teacher(folder / "teacher", labels)
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE))
    experiment: dict[str, Any] = {
        "name": "small",
        "seed": 3,
        "search_space": "space.yaml",
        "task": {
            "name": "small",
            "problem": problem,
            "text": ["text"],
            "labels": labels,
            "metric": "accuracy" if labels else "pearson",
            "max_length": 16,
            "validation_rows": 24,
            "path": str(folder / "data"),
            "local": {"train": "train.tsv", "test": "test.tsv"},
        },
        "teacher": {"model": str(folder / "teacher")},
        "distillation": {"epochs": 1, "max_steps": 4, "batch_size": 8, "precision": "float32"},
        "evaluation": {
            "robustness": {"search": {"rows": 4}, "report": {"rows": 4}},
            "efficiency": {"tokens": 8, "repeats": 0},
        },
        "fitness": {"min_quality": 0, "max_class_share": 1.0, "min_invariance": 0.0},
        "evolution": {"candidates": 7, "population": 3, "elite": 1},
        "finalists": {"count": 0},
        "execution": {"workers": 0, "device": "cpu", "keep_students": "all"},
    }
    for section, values in changes.items():
        experiment[section] = {**experiment.get(section, {}), **values} if isinstance(values, dict) else values
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(experiment, sort_keys=False))
    return path


def write_encoder_experiment(folder: Path, **changes: Any) -> Path:
    """Write a corpus, a teacher of one layer, a space of four encoders, and an experiment without a task."""
    rng = random.Random(1)
    folder.mkdir(exist_ok=True)
    text = "\n\n".join(" ".join(rng.choices(WORDS, k=40)) for _ in range(60))
    (folder / "corpus.txt").write_text(text)
    write_teacher(folder / "teacher", ["negative", "positive"])
    choices = {"layers": [1], "heads": [2], "hidden": [16, 24], "ffn": [16, 32], "activation": ["gelu"]}
    (folder / "space.yaml").write_text(yaml.safe_dump({"name": "small", "encoder": choices}))
    experiment: dict[str, Any] = {
        "name": "encoders",
        "seed": 3,
        "search_space": "space.yaml",
        "teacher": {"model": str(folder / "teacher")},
        "corpus": {
            "sources": [{"path": str(folder / "corpus.txt")}],
            "block_length": 16,
            "proxy_share": 0.5,
            "held_out_blocks": 8,
        },
        "distillation": {"target": "encoder", "epochs": 1, "batch_size": 16, "precision": "float32"},
        "evaluation": {"efficiency": {"tokens": 8, "batch_sizes": [1], "warmup": 1, "repeats": 2}},
        "fitness": {"reward": {}, "min_quality": 0},
        "evolution": {"strategy": "random", "candidates": 3, "population": 2, "elite": 1},
        "finalists": {"count": 1},
        "execution": {"workers": 0, "device": "cpu", "keep_students": "all"},
    }
    for section, values in changes.items():
        experiment[section] = {**experiment.get(section, {}), **values} if isinstance(values, dict) else values
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(experiment, sort_keys=False))
    return path


def outcomes(records: Sequence[Record]) -> list[tuple[Any, ...]]:
    """Everything in the records but measured times."""
    rows = []
    for r in records:
        what = (r.number, r.role, r.generation, r.replicate, r.id, r.genotype.to_json(), r.name)
        measured = None if r.measurements is None else _untimed(to_json(r.measurements))
        rows.append((*what, r.origin, r.parents, r.seed, r.status, measured, str(r.failure)))
    return rows


def finished_count(store: Path) -> int:
    """The number of done or failed records, read as any onlooker would; 0 before there is a table."""
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=5) as connection:
            query = "SELECT count(*) FROM records WHERE status IN ('done', 'failed')"
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def _untimed(text: str) -> str:
    data = json.loads(text)
    data["efficiency"]["latency"] = []
    for timed in (data["robustness"], *data["attacks"], *data["single_swaps"]):
        if timed is not None:
            timed["seconds"] = 0
    return json.dumps(data, sort_keys=True)


def _write_data(folder: Path, labels: list[str]) -> None:
    folder.mkdir()
    rng = random.Random(0)
    for name, rows in (("train", 120), ("test", 24)):
        lines = ["text\tlabel"]
        for _ in range(rows):
            words = rng.choices(WORDS, k=rng.randint(4, 9))
            score = sum(word in ("good", "bright", "clever") for word in words)
            lines.append(f"{' '.join(words)}\t{labels[score > 0] if labels else score + 0.1}")
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def write_teacher(folder: Path, labels: list[str]) -> None:
    letters = [*map(chr, range(ord("a"), ord("z") + 1))]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), *WORDS]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=32,
        num_labels=len(labels) or 1,
    )
    if labels:
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: index for index, name in enumerate(labels)}
    else:
        config.problem_type = "regression"
    with torch.random.fork_rng():
        torch.manual_seed(5)
        BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
