"""A task in memory: three splits of labelled texts, and texts without labels. No torch here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from rosearch.config.task import Metric
from rosearch.files import content_key

Labels = np.ndarray[tuple[int], np.dtype[Any]]
Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a split: `texts[i]` is one or two sentences, `labels[i]` a class (int64) or score (float32)."""

    texts: tuple[tuple[str, ...], ...]
    labels: Labels
    dropped: int = 0  # rows of the source that had no text or no label and were left out

    def __post_init__(self) -> None:
        assert self.labels.shape == (len(self.texts),)
        assert self.labels.dtype in (np.int64, np.float32)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Rows) -> Split:
        """The given rows, in the given order."""
        return Split(tuple(self.texts[row] for row in rows), self.labels[rows])

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits of the texts and labels."""
        digest = hashlib.blake2b(digest_size=16)
        update_with_texts(digest, self.texts)
        digest.update(self.labels.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Task:
    """The task of a student. `labels` are the names of the classes 0, 1, ...; empty for regression."""

    name: str
    problem: Literal["classification", "regression"]
    metric: Metric
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    dropped: Mapping[str, int] = field(
        default_factory=dict
    )  # rows of the source's splits that were left out, if any were
    unlabelled: Split | None = None  # its labels are 0: the teacher answers it, see `transfer`

    @property
    def num_labels(self) -> int:
        """Outputs of the model: the number of classes, 1 for regression."""
        return len(self.labels) or 1

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits of the content (problem, label names, splits), whatever its name and source."""
        parts = (
            self.problem,
            *self.labels,
            *(split.fingerprint for split in (self.train, self.validation, self.test)),
            *(() if self.unlabelled is None else (self.unlabelled.fingerprint,)),
        )
        return content_key(parts)

    @property
    def transfer(self) -> Split:
        """All that students learn from: the training rows, then the unlabelled ones."""
        if (more := self.unlabelled) is None:
            return self.train
        return Split(self.train.texts + more.texts, np.concatenate([self.train.labels, more.labels]))

    def answered(self, logits: np.ndarray[Any, Any]) -> Split:
        """`transfer`, with the teacher's answers as labels of the rows that have none; its logits (rows, labels)."""
        if self.unlabelled is None:
            return self.train
        rows, first = self.transfer, len(self.train)
        answers = logits[first:].argmax(axis=1) if self.labels else logits[first:, 0]
        return Split(rows.texts, np.concatenate([rows.labels[:first], answers.astype(rows.labels.dtype)]))


def update_with_texts(digest: hashlib.blake2b, texts: Iterable[tuple[str, ...]]) -> None:
    """Adds texts to a digest, as JSON: no two different lists of rows look alike."""
    digest.update(json.dumps(list(texts)).encode())
