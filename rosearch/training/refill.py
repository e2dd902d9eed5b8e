"""A source of perturbed text in which a masked LM fills in words that were corrupted.

Some of a text's words are corrupted. The masked LM reads what is left and draws a whole word for each of their places.
The corruptions are those of masked-LM defences such as RMLM (Wang et al. 2023, ACL, doi
10.18653/v1/2023.acl-long.155), which mends texts at inference; here it only makes texts to learn from. B is the batch,
T the tokens, N the corrupted words of a batch, W the words that may be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForMaskedLM

from rosearch.errors import BadInput, Problem
from rosearch.models.lengths import longest_input
from rosearch.models.saved import load_model, load_tokenizer
from rosearch.resources.word_lists import stop_words
from rosearch.training.generator import Generator, Masking, vocabulary_size
from rosearch.training.method import TrainingInputs
from rosearch.training.text_sources import (
    WORD,
    Listed,
    Source,
    Texts,
    Word,
    chosen_words,
    open_to_change,
    random_text,
    replaced,
    single_pieces,
    words_of,
)

_SPACES = "\u0120\u2581"  # the space before a word, in pieces of byte-level BPE and of SentencePiece


@dataclass(frozen=True, eq=False)
class MaskedLm:
    """A masked LM on a device, frozen, and the words that are one piece of its vocabulary, as they are written."""

    generator: Generator
    tokenizer: Any
    pieces: dict[str, int]

    @property
    def limit(self) -> int:
        """Tokens that it reads at most."""
        return longest_input(self.generator.model.config, self.tokenizer)


@dataclass
class _Row:
    """A row with one token at the place of each corrupted word; `swaps` has these words, each with its column."""

    ids: list[int] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    swaps: list[tuple[int, Word]] = field(default_factory=list)


class Refill(Source):
    """Corrupts words, each in one of five ways with equal chance, and has a masked LM fill in all of their places.

    A word becomes a synonym, the mask, the unknown token, a word of the training rows, or stays as it is. One that is
    not a single piece of the masked LM's vocabulary becomes the mask, and so does one without a synonym. Without lists
    of synonyms there are four ways. What is filled in may be the word that stood there; it is no stop word, no letter.
    """

    def __init__(
        self, lm: MaskedLm, texts: Texts, synonyms: Sequence[Listed], *, most: int, length: int, device: torch.device
    ) -> None:
        """`texts` are those of each training row. `most` words a place may be drawn, from `length` tokens a row."""
        self.lm = lm
        self.texts = texts
        self.synonyms = synonyms
        self.length = min(length, lm.limit)
        self.device = device
        tokenizer, stop = lm.tokenizer, stop_words()
        words = [word for word in lm.pieces if word.lower() not in stop]
        self.words = [word for word in words if len(word) > 1 or not word.isascii()]  # a letter is no word
        self.ids = torch.tensor([lm.pieces[word] for word in self.words], device=device)  # (W,)
        self.most = min(most, len(self.words))
        self.mask, self.unknown = int(tokenizer.mask_token_id), tokenizer.unk_token_id
        self.ways = [*([self._synonym] if synonyms else []), self._mask, self._unknown, self._random, self._kept]

    @classmethod
    def open(cls, inputs: TrainingInputs, folder: Path, synonyms: Sequence[Listed]) -> Self:
        """The source for a training, with the masked LM of a folder on its device.

        Raises `BadInput` where the masked LM cannot fill in words.
        """
        lm, config = _opened(folder, inputs.device), inputs.config.robust_kd
        return cls(lm, inputs.texts, synonyms, most=config.refill_words, length=inputs.max_length, device=inputs.device)

    def perturb(self, rows: Texts, share: float, rng: np.random.Generator) -> list[tuple[str, ...]]:
        """See `Source`. Stop words stay, and words behind the last token that the masked LM reads."""
        corrupted = self._corrupted(rows, share, rng)
        drawn = iter(self._drawn([row for row in corrupted if row.places], rng))
        made = []
        for texts, row in zip(rows, corrupted, strict=True):
            swaps: list[list[tuple[Word, str]]] = [[] for _ in texts]
            for column, word in row.swaps:
                swaps[column].append((word, next(drawn)))
            made.append(tuple(replaced(text, found) for text, found in zip(texts, swaps, strict=True)))
        return made

    def _corrupted(self, rows: Texts, share: float, rng: np.random.Generator) -> list[_Row]:
        encoded = self.lm.tokenizer(
            *map(list, zip(*rows, strict=True)),
            truncation=True,
            max_length=self.length,
            return_offsets_mapping=True,
            return_token_type_ids="token_type_ids" in self.lm.tokenizer.model_input_names,
            verbose=False,
        )
        return [
            self._corrupt(
                texts,
                share,
                rng,
                encoded["input_ids"][at],
                encoded.get("token_type_ids", encoded["input_ids"])[at],
                [(column, *span) for column, span in zip(encoded.sequence_ids(at), encoded["offset_mapping"][at])],
            )
            for at, texts in enumerate(rows)
        ]

    def _corrupt(
        self,
        texts: Sequence[str],
        share: float,
        rng: np.random.Generator,
        ids: Sequence[int],
        types: Sequence[int],
        spans: Sequence[tuple[int | None, int, int]],
    ) -> _Row:
        """One row; `spans` has the column of each token, and where it begins and ends in that text."""
        starts = {(column, start): at for at, (column, start, end) in enumerate(spans) if end > start}
        ends = {(column, end): at for at, (column, start, end) in enumerate(spans) if end > start}
        row, done = _Row(), 0
        for column, text in enumerate(texts):
            for word in chosen_words(open_to_change(words_of(text)), share, rng):
                piece = self.ways[int(rng.integers(len(self.ways)))](text, word, rng)
                # Some tokenizers count the space before a word as a part of it.
                first = starts.get((column, word.start), starts.get((column, word.start - 1)))
                last = ends.get((column, word.end))
                if first is None or last is None or first < done:
                    continue  # cut off, or no pieces of its own
                row.ids += [*ids[done:first], piece]
                row.types += types[done : first + 1]
                row.places.append(len(row.ids) - 1)
                row.swaps.append((column, word))
                done = last + 1
        row.ids += ids[done:]
        row.types += types[done:]
        return row

    def _synonym(self, text: str, word: Word, rng: np.random.Generator) -> int:
        found = [other for listed in self.synonyms for other in listed.candidates(word.word)]
        return self._piece(found[int(rng.integers(len(found)))]) if found else self.mask

    def _mask(self, text: str, word: Word, rng: np.random.Generator) -> int:
        return self.mask

    def _unknown(self, text: str, word: Word, rng: np.random.Generator) -> int:
        return self.mask if self.unknown is None else int(self.unknown)

    def _random(self, text: str, word: Word, rng: np.random.Generator) -> int:
        found = words_of(random_text(self.texts, rng))
        return self._piece(found[int(rng.integers(len(found)))].word) if found else self.mask

    def _kept(self, text: str, word: Word, rng: np.random.Generator) -> int:
        return self._piece(text[word.start : word.end])

    def _piece(self, word: str) -> int:
        return self.lm.pieces.get(word, self.lm.pieces.get(word.lower(), self.mask))

    @torch.no_grad()
    def _drawn(self, rows: Sequence[_Row], rng: np.random.Generator) -> list[str]:
        """The words that are filled in, N of them, row after row: one pass of the masked LM."""
        if not rows:
            return []
        logits = self.lm.generator.at(*self._inputs(rows))[:, self.ids]  # (N, W)
        best = logits.topk(self.most, dim=-1)
        reached = best.values.softmax(-1).cumsum(-1)
        chance = torch.from_numpy(rng.random(len(logits))).to(reached).unsqueeze(-1)
        at = (reached < chance * reached[:, -1:]).sum(-1, keepdim=True).clamp(max=self.most - 1)
        return [self.words[word] for word in best.indices.gather(-1, at).squeeze(-1).tolist()]

    def _inputs(self, rows: Sequence[_Row]) -> tuple[dict[str, Tensor], Tensor]:
        """The model inputs (B, T) of rows, and a mask (B, T) of the corrupted places."""
        shape = (len(rows), max(len(row.ids) for row in rows))
        padding = self.lm.tokenizer.pad_token_id or 0
        ids, types, mask, places = (np.full(shape, value, np.int64) for value in (padding, 0, 0, 0))
        for at, row in enumerate(rows):
            ids[at, : len(row.ids)], types[at, : len(row.ids)], mask[at, : len(row.ids)] = row.ids, row.types, 1
            places[at, row.places] = 1
        named = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self.lm.tokenizer.model_input_names:
            named["token_type_ids"] = types
        moved = {name: torch.from_numpy(value).to(self.device) for name, value in named.items()}
        return moved, torch.from_numpy(places).bool().to(self.device)


@lru_cache(maxsize=1)
def _opened(folder: Path, device: torch.device) -> MaskedLm:
    """One masked LM for all students that a process trains. Raises `BadInput`."""
    tokenizer = load_tokenizer(folder)
    if not tokenizer.is_fast or tokenizer.mask_token_id is None:
        expected, got = "a fast tokenizer with a mask token", type(tokenizer).__name__
        raise BadInput(Problem("resource masked_lm", str(folder), expected, got, "Make one with --make masked-lm"))
    pieces = whole_words(tokenizer)
    if not any(len(word) > 1 for word in pieces.keys() - stop_words()):
        expected, fix = "a vocabulary with whole words, which fill in places", "Make one with --make masked-lm"
        raise BadInput(Problem("resource masked_lm", str(folder), expected, "pieces of words alone", fix))
    model = load_model(AutoModelForMaskedLM, folder).to(device).eval().requires_grad_(False)
    masking = Masking(int(tokenizer.mask_token_id), tuple(sorted(set(tokenizer.all_special_ids))), 0.0)
    return MaskedLm(Generator(model, masking, vocabulary_size(tokenizer)), tokenizer, pieces)


def whole_words(tokenizer: Any) -> dict[str, int]:
    """The words that a tokenizer reads as one piece behind another word, each with its id; in the order of the ids."""
    vocabulary = sorted((int(number), piece.lstrip(_SPACES)) for piece, number in tokenizer.get_vocab().items())
    found = [(text, number) for number, text in vocabulary if WORD.fullmatch(text)]
    read = single_pieces(tokenizer, [text for text, _ in found])
    return {text: number for text, number in found if read.get(text) == number}
