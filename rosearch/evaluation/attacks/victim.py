"""The model under attack: texts or token ids in, float32 logits out, in batches of rows of similar length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from rosearch.data.tokens import tokenizer_fingerprint
from rosearch.errors import CandidateFailed
from rosearch.models.segments import reads_segments

Logits = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Ints = np.ndarray[tuple[int], np.dtype[Any]]
Tokenised = tuple[Ints, Ints | None, Ints]  # token ids, types and lengths, as `Victim.tokenise` gives them

# Rows in a forward pass. A CPU core is bound by arithmetic from 8 rows on, and slows down where the rows leave its
# cache. A GPU is bound by launches until it is full.
_ROWS = {"cpu": 32}
_ROWS_ELSEWHERE = 1024

# Tokens of padding that cost as much as one more forward pass: some 2 ms on a CPU, measured with 11 million parameters.
_PADDING = {"cpu": 60}


class Victim:
    """A classifier with its tokenizer, as attacks query it. Call it inside `evaluation.quality.inference`.

    Texts are cut to `max_length` tokens. By default a batch has no more rows and no more padding than suits the device;
    with `rows_a_batch` all batches but the last have that many rows. `failure` is the error that the model itself
    raised, so that nobody takes it for the attack's. `calls` counts forward passes, `rows` the rows in them.
    """

    def __init__(
        self, model: torch.nn.Module, tokenizer: Any, max_length: int, device: torch.device, rows_a_batch: int = 0
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.device = device
        self.failure: Exception | None = None
        self.calls = 0
        self.rows = 0
        self.takes_types = reads_segments(model, tokenizer)
        self.rows_a_batch = rows_a_batch or _ROWS.get(device.type, _ROWS_ELSEWHERE)
        self.padding_a_batch = math.inf if rows_a_batch else _PADDING.get(device.type, math.inf)

    @cached_property
    def vocabulary(self) -> str:
        """32 hex digits of everything that decides the tokenizer's ids."""
        return tokenizer_fingerprint(self.tokenizer)

    def __call__(self, texts: Sequence[str] | Sequence[tuple[str, ...]]) -> torch.Tensor:
        """Logits (n, labels) of n texts, or of n pairs as tuples. Raises as `score` does."""
        ids, types, lengths = self.tokenise(texts)
        return torch.from_numpy(self.score(ids, types, lengths))

    def tokenise(self, texts: Sequence[str] | Sequence[tuple[str, ...]]) -> Tokenised:
        """Token ids (tokens,) of all texts one after the other, their token types or None, and lengths (n,)."""
        firsts = [text if isinstance(text, str) else text[0] for text in texts]
        seconds = [text[1] for text in texts if not isinstance(text, str) and len(text) > 1] or None
        made = self.tokenizer(
            firsts,
            seconds,
            truncation=True,
            max_length=self.max_length,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=self.takes_types,
            verbose=False,
        )
        lengths = np.fromiter(map(len, made["input_ids"]), np.int64, len(firsts))
        ids = np.fromiter((token for row in made["input_ids"] for token in row), np.int64, int(lengths.sum()))
        if not self.takes_types:
            return ids, None, lengths
        types = np.fromiter((kind for row in made["token_type_ids"] for kind in row), np.int64, len(ids))
        return ids, types, lengths

    def longer(self, texts: Sequence[tuple[str, ...]]) -> int:
        """The number of texts, or pairs, with more than `max_length` tokens: the model reads a part of them."""
        firsts = [text[0] for text in texts]
        seconds = [text[1] for text in texts if len(text) > 1] or None
        made = self.tokenizer(firsts, seconds, return_attention_mask=False, return_token_type_ids=False, verbose=False)
        return sum(len(row) > self.max_length for row in made["input_ids"])

    def score(self, ids: Ints, types: Ints | None, lengths: Ints) -> Logits:
        """Logits (n, labels) of n rows of token ids that stand one after the other in `ids` (tokens,).

        Raises `CandidateFailed` (nan) where a logit is not finite.
        """
        starts = _starts(lengths)
        order = np.argsort(lengths, kind="stable")
        logits: Logits | None = None
        for start, end in pairwise([0, *_ends(lengths[order], self.rows_a_batch, self.padding_a_batch)]):
            rows = order[start:end]
            output = self._forward(ids, types, starts[rows], lengths[rows])
            if logits is None:
                logits = np.empty((len(order), output.shape[1]), np.float32)
            logits[rows] = output
        if logits is None:
            raise ValueError("no rows to score")
        return logits

    def one_pass(self, ids: Ints, types: Ints | None, lengths: Ints) -> Logits:
        """As `score`, in one forward pass, even where a subclass has another `score`."""
        return self._forward(ids, types, _starts(lengths), lengths)

    def _forward(self, ids: Ints, types: Ints | None, starts: Ints, lengths: Ints) -> Logits:
        longest = int(lengths.max())
        columns = np.arange(longest)
        padding = (longest - lengths)[:, None]
        before = padding if self.tokenizer.padding_side == "left" else 0
        real = (columns >= before) & (columns < before + lengths[:, None])
        places = np.where(real, starts[:, None] + columns - before, 0)
        inputs = {
            "input_ids": np.where(real, ids[places], self.tokenizer.pad_token_id),
            "attention_mask": real.astype(np.int64),
        }
        if types is not None:
            inputs["token_type_ids"] = np.where(real, types[places], 0)
        tensors = {name: torch.from_numpy(value).to(self.device) for name, value in inputs.items()}
        self.calls += 1
        self.rows += len(lengths)
        try:
            logits: Logits = self.model(**tensors).logits.float().cpu().numpy()
            if not np.isfinite(logits).all():
                raise CandidateFailed("nan", "logits under attack are not finite", "attack")
        except Exception as error:
            self.failure = error
            raise
        return logits


class Expected(Victim):
    """A victim that answers with its mean probabilities over several draws, as a student with random parts must be met.

    A single answer of such a student hides what it does on average: an attack on one draw stops at a lucky one, and the
    next draw is right again (Athalye et al. 2018, arXiv 1802.00420: expectation over transformation).
    """

    draws = 10

    def _forward(self, ids: Ints, types: Ints | None, starts: Ints, lengths: Ints) -> Logits:
        mean = np.zeros((), np.float64)
        for _ in range(self.draws):
            logits = super()._forward(ids, types, starts, lengths).astype(np.float64)
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            mean = mean + shares / shares.sum(axis=1, keepdims=True) / self.draws
        found: Logits = np.log(np.maximum(mean, np.finfo(np.float32).tiny)).astype(np.float32)
        return found


def expected(victim: Victim, texts: Sequence[tuple[str, ...]]) -> Victim:
    """The victim itself; `Expected` around its model where two answers to the same text differ: it draws at inference.

    Call it inside `evaluation.quality.inference`.
    """
    asked = victim.tokenise(list(texts[:4]))
    if np.array_equal(victim.one_pass(*asked), victim.one_pass(*asked)):
        return victim
    return Expected(victim.model, victim.tokenizer, victim.max_length, victim.device, 0)


def _ends(lengths: Ints, most_rows: int, most_padding: float) -> list[int]:
    """The ends of batches of rows (n,), the shortest first.

    A batch ends when it is full, or before a length that would need too much padding of its rows.
    """
    ends = [0]
    values, firsts = np.unique(lengths, return_index=True)
    for length, (first, after) in zip(values, pairwise([*firsts.tolist(), len(lengths)]), strict=True):
        if (length - lengths[ends[-1] : first]).sum() > most_padding:
            ends.append(first)
        ends += range(ends[-1] + most_rows, after + 1, most_rows)
    return ends[1:] if ends[-1] == len(lengths) else [*ends[1:], len(lengths)]


def _starts(lengths: Ints) -> Ints:
    """The starts of rows (n,) that stand one after the other."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)[:-1]])
