"""Batches of a corpus: token ids alone, since blocks have neither padding nor second texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rosearch.data.batches import batch_count
from rosearch.data.corpus import Corpus, Part, Permutation
from rosearch.data.tasks import Rows
from rosearch.randomness import derive_seed


@dataclass(frozen=True)
class CorpusRows:
    """The blocks of a part of a corpus as rows of a training (`rosearch.data.batches.TrainingRows`)."""

    corpus: Corpus
    part: Part

    def __len__(self) -> int:
        return self.corpus.size(self.part)

    @property
    def content(self) -> str:
        """The key of the corpus and all that picks the blocks of the part."""
        return f"{self.corpus.key}-{self.part}-{len(self)}-{self.corpus.seed}-{self.corpus.held_out}"

    def epoch(self, batch_size: int, seed: int, number: int, first: int = 0) -> Iterator[Tensor]:
        """See `training_blocks`."""
        return training_blocks(self.corpus, self.part, batch_size, seed, number, first)


def training_blocks(
    corpus: Corpus, part: Part, batch_size: int, seed: int, epoch: int, first: int = 0
) -> Iterator[Tensor]:
    """One epoch: batches (B, block_length) int64 of every block of a part once, in random order; the last may be short.

    The order depends on the seed and the epoch alone. The batches before `first` are passed over without being read.
    """
    order = Permutation(corpus.size(part), derive_seed(seed, "corpus order", replicate=epoch))
    for places in _cut(corpus.size(part), batch_size, first):
        yield _batch(corpus, part, order(places))


def evaluation_blocks(corpus: Corpus, batch_size: int, part: Part = "held_out") -> Iterator[Tensor]:
    """Batches (B, block_length) int64 of every block of a part once, in a fixed order."""
    for places in _cut(corpus.size(part), batch_size):
        yield _batch(corpus, part, places)


def _cut(size: int, batch_size: int, first: int = 0) -> Iterator[Rows]:
    for batch in range(first, batch_count(size, batch_size)):
        yield np.arange(batch * batch_size, min((batch + 1) * batch_size, size))


def _batch(corpus: Corpus, part: Part, places: Rows) -> Tensor:
    return torch.from_numpy(corpus.read(corpus.numbers(part, places)).astype(np.int64))
