"""A classifier of letter pairs whose scores are the same to the last bit in every batch."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from rosearch.evaluation.attacks.victim import Ints, Logits, Tokenised, Victim


class LetterVictim(Victim):
    """Two classes: the margin is a sum of an integer for each pair of letters. Its token ids are code points."""

    def __init__(self) -> None:
        tokenizer = SimpleNamespace(model_input_names=["input_ids"])
        super().__init__(torch.nn.Linear(1, 1), tokenizer, 512, torch.device("cpu"))

    def tokenise(self, texts: Sequence[Any]) -> Tokenised:
        joined = [text if isinstance(text, str) else "\n".join(text) for text in texts]
        ids = np.array([ord(letter) for text in joined for letter in text], np.int64)
        return ids, None, np.array([len(text) for text in joined], np.int64)

    def score(self, ids: Ints, types: Ints | None, lengths: Ints) -> Logits:
        self.calls += 1
        self.rows += len(lengths)
        margins = [self._margin(row) for row in np.split(ids, np.cumsum(lengths)[:-1])]
        return np.array([[margin / 256, -margin / 256] for margin in margins], np.float32)

    @staticmethod
    def _margin(row: Ints) -> int:
        return int(((row[1:] * 7919 + row[:-1] * 104729) % 101 - 50).sum())
