"""A task in memory: three splits of labelled texts. No torch here."""

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
        )
        return content_key(parts)


def update_with_texts(digest: hashlib.blake2b, texts: Iterable[tuple[str, ...]]) -> None:
    """Adds texts to a digest, as JSON: no two different lists of rows look alike."""
    digest.update(json.dumps(list(texts)).encode())
