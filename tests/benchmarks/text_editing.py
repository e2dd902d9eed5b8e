"""Text-editing augmentation as TinyBERT's (arXiv 1909.10351, algorithm 1 and released code): the rival of AD^2.

Each word may give way to one of its 15 nearest: what a masked language model would put there, for a word that is one
piece, else the nearest pieces by embedding (TinyBERT: by GloVe). Stop words stay. A copy that is there already is left
out, as in the released code.

Cheaper than the released code, so that the comparison leans to this side: masked texts of all rows go to the model in
batches of like length, each alone (TinyBERT: one at a time, together with the text as it was), and logits are made for
the masked places only.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import BertForMaskedLM
from transformers.utils import logging

from rosearch.models.device import autocast, resolve_precision
from rosearch.resources.word_lists import stop_words

SHARE = 0.4  # of words that are replaced: p
NEAREST = 15  # words that one is drawn from: M
_BATCH = 64


class TextEditor:
    """Writes copies of texts; `run` is what is timed."""

    def __init__(self, folder: Path, tokenizer: Any, device: torch.device, max_length: int) -> None:
        """`folder` holds a BERT; where it has no masked-LM head, one of random weights is put on it."""
        level = logging.get_verbosity()
        logging.set_verbosity_error()  # it would say that the head is new
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.model = BertForMaskedLM.from_pretrained(folder, local_files_only=True).to(device).eval()
        logging.set_verbosity(level)
        self.directions = F.normalize(self.model.get_input_embeddings().weight.detach(), dim=-1)
        self.tokenizer = tokenizer
        self.device = device
        self.max_length = max_length
        self.stop_words = stop_words()

    @torch.inference_mode()
    def run(self, texts: Sequence[str], copies: int, seed: int) -> list[tuple[int, str]]:
        """The texts and up to `copies` of each, as (row, text)."""
        rows = [self._words(text) for text in texts]
        choices = self._choices(rows)
        rng = random.Random(seed)
        edited = []
        for row, (words, choice) in enumerate(zip(rows, choices, strict=True)):
            variants = {" ".join(words): None}
            for _ in range(copies):
                copy = list(words)
                for place, nearest in choice.items():
                    if rng.random() < SHARE:
                        copy[place] = rng.choice(nearest)
                variants[" ".join(copy)] = None
            edited += [(row, text) for text in variants]
        return edited

    def _words(self, text: str) -> list[str]:
        backend = self.tokenizer.backend_tokenizer
        plain = text if backend.normalizer is None else backend.normalizer.normalize_str(text)
        return [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(plain)]

    def _choices(self, rows: Sequence[Sequence[str]]) -> list[dict[int, list[str]]]:
        """Of each row, place by place, what may stand in place of its word."""
        found: list[dict[int, list[str]]] = [{} for _ in rows]
        masked: list[tuple[int, int]] = []
        remembered: dict[str, list[str]] = {}
        for row, words in enumerate(rows):
            for place, word in enumerate(words):
                if not word.isalpha() or word in self.stop_words:
                    continue
                pieces = self.tokenizer.encode(word, add_special_tokens=False)
                if len(pieces) == 1:
                    masked.append((row, place))
                    continue
                if word not in remembered:
                    remembered[word] = self._neighbours(pieces)
                found[row][place] = remembered[word]
        masked.sort(key=lambda at: len(rows[at[0]]))
        for start in range(0, len(masked), _BATCH):
            some = masked[start : start + _BATCH]
            for (row, place), nearest in zip(some, self._predicted(rows, some), strict=True):
                found[row][place] = nearest or [rows[row][place]]
        return found

    def _predicted(self, rows: Sequence[Sequence[str]], masked: Sequence[tuple[int, int]]) -> list[list[str]]:
        texts = []
        for row, place in masked:
            words = list(rows[row])
            words[place] = self.tokenizer.mask_token
            texts.append(" ".join(words))
        inputs = self.tokenizer(texts, padding=True, truncation=True, max_length=self.max_length, return_tensors="pt")
        inputs = inputs.to(self.device)
        at = inputs["input_ids"] == self.tokenizer.mask_token_id
        with autocast(self.device, resolve_precision(self.device, "auto")):
            states = self.model.bert(**inputs).last_hidden_state
            best = self.model.cls(states[at]).topk(NEAREST).indices
        answers: list[list[str]] = [[] for _ in masked]  # a mask that was cut off has none
        for row, ids in zip(at.nonzero()[:, 0].tolist(), best.tolist(), strict=True):
            answers[row] = self._whole(ids)
        return answers

    def _neighbours(self, pieces: Sequence[int]) -> list[str]:
        word = self.model.get_input_embeddings().weight[list(pieces)].mean(0)
        return self._whole((self.directions @ word).topk(NEAREST).indices.tolist())

    def _whole(self, ids: Sequence[int]) -> list[str]:
        """Whole words; where all are parts of words, the parts without their sign."""
        words: list[str] = self.tokenizer.convert_ids_to_tokens(list(ids))
        return [word for word in words if not word.startswith("##")] or [word.removeprefix("##") for word in words]
