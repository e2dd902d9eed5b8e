"""Batches of a tokenised split, padded to their own longest row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import torch

from rosearch.data.tasks import Labels, Rows
from rosearch.data.tokens import TokenisedSplit
from rosearch.randomness import derive_seed

# So many batches at a time are cut from rows that are sorted by length: hardly any padding, and still well mixed.
_POOL = 64


@dataclass(frozen=True, eq=False)
class Batch:
    """B rows padded to the T tokens of the longest; `rows` are their positions in the split."""

    rows: Rows  # (B,)
    input_ids: torch.Tensor  # (B, T) int64, padded on the right
    attention_mask: torch.Tensor  # (B, T) int64, 1 on tokens and 0 on padding
    token_type_ids: torch.Tensor | None  # (B, T) int64; None where the tokenizer has none
    labels: torch.Tensor  # (B,) int64 classes or float32 scores

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def inputs(self) -> dict[str, torch.Tensor]:
        """The inputs of a transformers model by name, without the labels."""
        inputs = {"input_ids": self.input_ids, "attention_mask": self.attention_mask}
        if self.token_type_ids is not None:
            inputs["token_type_ids"] = self.token_type_ids
        return inputs

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device; copies to a GPU do not block."""
        if device.type == "cpu":
            return self
        types = None if self.token_type_ids is None else _moved(self.token_type_ids, device)
        return Batch(
            self.rows,
            _moved(self.input_ids, device),
            _moved(self.attention_mask, device),
            types,
            _moved(self.labels, device),
        )


class Trainable(Protocol):
    """A batch of training data of any kind: it has rows, and moves to a device."""

    def __len__(self) -> int: ...

    def to(self, device: torch.device) -> Self:
        """The same batch on a device."""


B = TypeVar("B", bound=Trainable)
_B = TypeVar("_B", bound=Trainable, covariant=True)


class TrainingRows(Protocol[_B]):
    """Rows that a training passes over again and again, in an order that follows from seed and epoch alone."""

    def __len__(self) -> int: ...

    @property
    def content(self) -> str:
        """One text that stands for the content of all rows."""

    def epoch(self, batch_size: int, seed: int, number: int, first: int = 0) -> Iterator[_B]:
        """Every row once; the batches before `first` are passed over without being made."""


@dataclass(frozen=True)
class TaskRows:
    """The rows of a task's split, with their labels, as `training_batches` makes them."""

    tokenised: TokenisedSplit

    def __len__(self) -> int:
        return len(self.tokenised)

    @property
    def content(self) -> str:
        """The keys of tokens and labels."""
        labels = hashlib.blake2b(self.tokenised.labels.tobytes(), digest_size=16).hexdigest()
        return f"{self.tokenised.key}-{labels}"

    def epoch(self, batch_size: int, seed: int, number: int, first: int = 0) -> Iterator[Batch]:
        """See `training_batches`."""
        return training_batches(self.tokenised, batch_size, seed, number, first)


def batch_count(rows: int, batch_size: int) -> int:
    """Batches in one pass over so many rows; the last may be short."""
    return -(-rows // batch_size)


def training_batches(
    tokenised: TokenisedSplit, batch_size: int, seed: int, epoch: int, first: int = 0
) -> Iterator[Batch]:
    """One epoch: every row once, rows of like length together, batches in random order.

    The order depends on the seed and the epoch alone. Every batch is full but one, which holds the rest. The
    batches before `first` are passed over without being made.
    """
    rng = np.random.default_rng(derive_seed(seed, "batches", replicate=epoch))
    shuffled = rng.permutation(len(tokenised))
    lengths = tokenised.lengths
    batches: list[Rows] = []
    for pool in _cut(shuffled, batch_size * _POOL):
        batches += _cut(pool[np.argsort(lengths[pool], kind="stable")], batch_size)
    for index in rng.permutation(len(batches))[first:]:
        yield collate(tokenised, batches[index])


def evaluation_batches(tokenised: TokenisedSplit, batch_size: int) -> Iterator[Batch]:
    """Every row once, longest first: too large a batch fails at once. `Batch.rows` gives the order."""
    for rows in _cut(np.argsort(-tokenised.lengths, kind="stable"), batch_size):
        yield collate(tokenised, rows)


def collate(tokenised: TokenisedSplit, rows: Rows) -> Batch:
    """The given rows of a split as one batch, without a Python loop over rows."""
    starts = np.asarray(tokenised.offsets)[rows]
    lengths = tokenised.lengths[rows]
    columns = np.arange(lengths.max())
    mask = columns < lengths[:, None]
    # Positions beyond the end of a row first read its first token; padding then overwrites them.
    positions = np.where(mask, starts[:, None] + columns, starts[:, None])
    ids = np.where(mask, tokenised.ids[positions], tokenised.pad_id).astype(np.int64)
    types = None
    if tokenised.token_types is not None:
        types = torch.from_numpy(np.where(mask, tokenised.token_types[positions], 0).astype(np.int64))
    return Batch(
        rows,
        torch.from_numpy(ids),
        torch.from_numpy(mask.astype(np.int64)),
        types,
        torch.from_numpy(tokenised.labels[rows]),
    )


def batch_of_texts(
    texts: Sequence[tuple[str, ...]], rows: Rows, labels: Labels, tokenizer: Any, max_length: int
) -> Batch:
    """Texts outside the split, tokenised now; `rows` (B,) and `labels` (B,) belong to the rows that they replace."""
    with_types = "token_type_ids" in tokenizer.model_input_names
    made = tokenizer(
        *map(list, zip(*texts, strict=True)),
        truncation=True,
        max_length=max_length,
        padding=True,
        padding_side="right",
        return_token_type_ids=with_types,
        return_tensors="pt",
        verbose=False,
    )
    types = made["token_type_ids"] if with_types else None
    return Batch(rows, made["input_ids"], made["attention_mask"], types, torch.from_numpy(labels))


def _cut(rows: Rows, size: int) -> list[Rows]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
