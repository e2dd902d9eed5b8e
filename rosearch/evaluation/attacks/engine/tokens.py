"""Token ids of texts that are put together from pieces: a space and what follows it.

WordPiece, byte-level BPE and SentencePiece all cut texts at spaces before anything else. A text's ids are then those of
its pieces, one after the other, and a swap makes one new piece only. The tokenizer itself is asked if that holds; where
it does not, texts are tokenised whole.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rosearch.evaluation.attacks.victim import Ints, Victim

Ids = bytes  # token ids, `WIDTH` bytes each: bytes are cut, joined and compared many times faster than small arrays
WIDTH = 8

# The place before a space that ends a word. Tokenizers differ in their treatment of other white space, and some make
# one space of several: such a run stays in one piece.
_CUT = re.compile(r"(?<=\S)(?= )")
_REMEMBERED = 2**20  # pieces, some 200 MB with their ids: more than any plan has
_REMEMBERED_ROWS = 2**17  # rows, whole and with a word left out


def to_bytes(ids: Sequence[int]) -> Ids:
    """Token ids as bytes."""
    return array("q", ids).tobytes()


def from_bytes(rows: Sequence[Ids]) -> tuple[Ints, Ints]:
    """The token ids (tokens,) of all rows, one after the other, and the length of each row (rows,)."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows)) // WIDTH
    return np.frombuffer(b"".join(rows), np.int64), lengths


def pieces_of(text: str) -> list[str]:
    """The pieces of a text; joined, they are the text again."""
    return _CUT.split(text) if text else []


class Tokens:
    """A tokenizer with a memory for pieces, one for all students of a vocabulary.

    `exact` is True while ids put together from pieces are the tokenizer's own, token types included, as far as `agree`
    has checked.
    """

    def __init__(self, tokenizer: Any, max_length: int, takes_types: bool | None = None) -> None:
        """`takes_types` says whether the model reads token types; by default the tokenizer's inputs say it."""
        named = "token_type_ids" in tokenizer.model_input_names
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.takes_types = named if takes_types is None else takes_types
        self.exact = getattr(tokenizer, "truncation_side", "right") == "right"  # otherwise `cut` would be wrong
        self.plans: set[str] = set()  # keys of plans whose pieces were learnt and compared
        self._rows: dict[tuple[str, ...], tuple[Ids, int]] = {}
        self._memory: dict[str, Ids] = {}
        # The special tokens around one text, and before, between and after two.
        self.single = _frame(tokenizer, 1)
        self.pair = _frame(tokenizer, 2)

    def of(self, piece: str) -> Ids:
        """The ids of one piece."""
        found = self._memory.get(piece)
        if found is None:
            self.learn([piece])
            found = self._memory[piece]
        return found

    def learn(self, pieces: Iterable[str]) -> None:
        """Tokenise the pieces that are not known yet, in one call."""
        if len(self._memory) > _REMEMBERED:
            self._memory.clear()
        unknown = [piece for piece in dict.fromkeys(pieces) if piece not in self._memory]
        if not unknown:
            return
        made = self.tokenizer(unknown, add_special_tokens=False, return_attention_mask=False, verbose=False)
        for piece, ids in zip(unknown, made["input_ids"], strict=True):
            self._memory[piece] = to_bytes(ids)

    def cut(self, ids: Ids, frame: Sequence[Ids]) -> Ids:
        """A single text's ids with its special tokens, cut to `max_length` as the tokenizer cuts: from the end."""
        longest = WIDTH * self.max_length
        return ids if len(ids) <= longest else ids[: longest - len(frame[-1])] + frame[-1]

    def whole(self, texts: tuple[str, ...]) -> tuple[Ids, int]:
        """The ids of a row as the tokenizer itself makes them, and the number of those at the end that have type 1."""
        return self.wholes([texts])[0]

    def wholes(self, rows: Sequence[tuple[str, ...]], cut: bool = True) -> list[tuple[Ids, int]]:
        """As `whole`, for rows with equally many texts, in one call; uncut ones may be longer than the model reads."""
        made = self.tokenizer(
            *map(list, zip(*rows, strict=True)),  # lists: an empty second text given by itself is taken for none
            truncation=cut,
            max_length=self.max_length if cut else None,
            return_attention_mask=False,
            return_token_type_ids=self.takes_types,
            verbose=False,
        )
        tails = map(sum, made["token_type_ids"]) if self.takes_types else [0] * len(rows)
        return [(to_bytes(ids), tail) for ids, tail in zip(made["input_ids"], tails, strict=True)]

    def assembled(self, texts: tuple[str, ...]) -> tuple[Ids, int]:
        """As `whole`, put together from pieces; a pair that is too long is left to the tokenizer.

        The result is remembered: every student is asked about the same rows, whole and with a word left out.
        """
        found = self._rows.get(texts)
        if found is None:
            found = self._assemble(texts)
            if len(self._rows) < _REMEMBERED_ROWS:
                self._rows[texts] = found
        return found

    def _assemble(self, texts: tuple[str, ...]) -> tuple[Ids, int]:
        ids, tail = self._joined(texts)
        if len(ids) <= WIDTH * self.max_length:
            return ids, tail
        return (self.cut(ids, self.single), tail) if len(texts) == 1 else self.whole(texts)

    def _joined(self, texts: tuple[str, ...]) -> tuple[Ids, int]:
        """The ids and the tail of a row, of any length."""
        frame = self.single if len(texts) == 1 else self.pair
        columns = [[self.of(piece) for piece in pieces_of(text)] for text in texts]
        parts = [frame[0], *columns[0], frame[1]]
        tail = 0
        if len(texts) > 1:
            parts += [*columns[1], frame[2]]
            tail = (sum(map(len, columns[1])) + len(frame[2])) // WIDTH
        return b"".join(parts), tail

    def agree(self, rows: Sequence[tuple[str, ...]]) -> bool:
        """Compare assembled ids, whole and cut, with the tokenizer's own; once they differ, `exact` stays False.

        The rows must have the same number of texts.
        """
        if rows and self.exact:
            ours = [made(texts) for made in (self._joined, self.assembled) for texts in rows]
            theirs = [*self.wholes(rows, cut=False), *self.wholes(rows)]
            self.exact = all(
                ids == own and (tail == own_tail or not self.takes_types)
                for (ids, tail), (own, own_tail) in zip(ours, theirs, strict=True)
            )
        return self.exact


def _frame(tokenizer: Any, columns: int) -> tuple[Ids, ...]:
    """The special tokens before, between and after `columns` texts."""
    made = tokenizer(*["a"] * columns, return_special_tokens_mask=True, verbose=False)
    ids, special = np.array(made["input_ids"], np.int64), np.array(made["special_tokens_mask"], np.bool_)
    texts = np.flatnonzero(~special)
    if not len(texts):
        return (ids.tobytes(),) * (columns + 1)  # a guess: `agree` will find the difference
    first, end = int(texts[0]), int(texts[-1]) + 1
    between = ids[first:end][special[first:end]]
    parts = (ids[:first], ids[end:]) if columns == 1 else (ids[:first], between, ids[end:])
    return tuple(part.tobytes() for part in parts)


_SHARED: dict[tuple[str, int, bool], Tokens] = {}


def tokens_of(victim: Victim) -> Tokens:
    """The memory of a model's tokenizer, shared by all tokenizers with the same ids: it is filled once a run."""
    key = (victim.vocabulary, victim.max_length, victim.takes_types)
    if key not in _SHARED:
        _SHARED.clear()  # a run has one vocabulary at a time
        _SHARED[key] = Tokens(victim.tokenizer, victim.max_length, victim.takes_types)
    return _SHARED[key]
