"""One row under attack, as text and as token ids at once; the cost of a swap is that of its piece, not of the text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from rosearch.evaluation.attacks.engine.plan import PlanRow
from rosearch.evaluation.attacks.engine.tokens import WIDTH, Ids, Tokens, pieces_of


class Query(NamedTuple):
    """A text to score, joined as TextAttack joins pairs, and its ids."""

    text: str
    columns: tuple[str, ...] | None  # the texts, where the ids are still to be made from them
    ids: Ids
    tail: int  # tokens of type 1, at the end

    def token_ids(self, tokens: Tokens) -> tuple[Ids, int]:
        """The ids with special tokens, and the number of those at the end that have type 1."""
        return (self.ids, self.tail) if self.columns is None else tokens.whole(self.columns)


class _Layout(NamedTuple):
    """The pieces of a row and their starts in the joined text; the piece of each word and its offset in the piece."""

    pieces: list[str]
    of_first: int  # number of pieces of the first text
    starts: list[int]
    piece_of: list[int]
    offset_of: list[int]


@lru_cache(maxsize=2**14)  # the same for every student that walks the row
def _laid_out(texts: tuple[str, ...], words: tuple[int, ...]) -> _Layout:
    """The layout of texts whose words start at the places `words`."""
    columns = [pieces_of(text) for text in texts]
    pieces = [piece for column in columns for piece in column]
    of_first = len(columns[0])
    starts = list(accumulate(map(len, pieces), initial=0))[:-1]
    gap = len(texts) - 1  # the line break between two texts belongs to no piece
    starts = starts[:of_first] + [start + gap for start in starts[of_first:]]
    piece_of, offset_of = [], []
    piece = 0
    for start in words:
        while start >= starts[piece] + len(pieces[piece]):
            piece += 1
        piece_of.append(piece)
        offset_of.append(start - starts[piece])
    return _Layout(pieces, of_first, starts, piece_of, offset_of)


class Walk:
    """The row's text as it stands after the swaps taken so far."""

    def __init__(self, row: PlanRow, tokens: Tokens) -> None:
        self.row = row
        self.text = "\n".join(row.texts)
        self.words = list(row.words)  # as TextAttack would split the text now
        self.slots = list(range(len(row.words)))  # the original word at each place; -1 once it was changed
        self.swaps: list[tuple[int, str]] = []
        self._tokens = tokens
        self._first_length = len(row.texts[0])
        self._frame = tokens.single if len(row.texts) == 1 else tokens.pair
        layout = _laid_out(row.texts, row.starts)
        self._pieces, self._starts, self._offset_of = layout.pieces[:], layout.starts[:], layout.offset_of[:]
        self._piece_of, self._of_first = layout.piece_of, layout.of_first
        self._ids = [tokens.of(piece) for piece in self._pieces] if tokens.exact else []
        self._flat: Ids | None = None

    def _flatten(self) -> Ids:
        """All ids with special tokens. Sets the ends of their parts and the number of tokens of type 1."""
        parts = [self._frame[0], *self._ids[: self._of_first], self._frame[1]]
        self._tail = 0
        if len(self._frame) == 3:
            parts += [*self._ids[self._of_first :], self._frame[2]]
            self._tail = (sum(map(len, self._ids[self._of_first :])) + len(self._frame[2])) // WIDTH
        self._ends = list(accumulate(map(len, parts)))
        return b"".join(parts)

    @property
    def columns(self) -> tuple[str, ...]:
        """The row's texts as they stand."""
        return self._split(self.text, self._first_length)

    def _split(self, text: str, first_length: int) -> tuple[str, ...]:
        return (text,) if len(self.row.texts) == 1 else (text[:first_length], text[first_length + 1 :])

    def start_of(self, word: int) -> int:
        """The start in the text of an original word that was not changed."""
        return self._starts[self._piece_of[word]] + self._offset_of[word]

    def swapped(self, word: int, candidate: str) -> str:
        """The text with an original word, not changed so far, replaced."""
        start = self.start_of(word)
        return self.text[:start] + candidate + self.text[start + len(self.row.words[word]) :]

    def query(self, word: int, candidate: str) -> Query:
        """The text of `swapped`, ready to be scored."""
        piece, offset = self._piece_of[word], self._offset_of[word]
        length = len(self.row.words[word])
        text = self.swapped(word, candidate)
        if not self._tokens.exact:
            return self.of_text(text, self._first_length + self._growth(piece, len(candidate) - length))
        old = self._pieces[piece]
        new = self._tokens.of(old[:offset] + candidate + old[offset + length :])
        part = piece + 1 if piece < self._of_first else piece + 2  # special tokens stand before and between
        if self._flat is None:
            self._flat = self._flatten()
        ids = self._flat[: self._ends[part - 1]] + new + self._flat[self._ends[part] :]
        if len(ids) > WIDTH * self._tokens.max_length:
            return self._too_long(text, ids, piece, len(candidate) - length)
        tail = self._tail + ((len(new) - len(self._ids[piece])) // WIDTH if piece >= self._of_first else 0)
        return Query(text, None, ids, tail)

    def _too_long(self, text: str, ids: Ids, piece: int, growth: int) -> Query:
        """A single text is cut at its end; a pair is left to the tokenizer."""
        if len(self.row.texts) == 1:
            return Query(text, None, self._tokens.cut(ids, self._frame), 0)
        return self.of_text(text, self._first_length + self._growth(piece, growth))

    def _growth(self, piece: int, growth: int) -> int:
        return growth if piece < self._of_first else 0

    def of_text(self, text: str, first_length: int) -> Query:
        """A query whose ids the tokenizer makes of the whole text; `first_length` splits a pair."""
        return Query(text, self._split(text, first_length), b"", 0)

    def of_columns(self, columns: tuple[str, ...]) -> Query:
        """A query of other texts of this row, such as one with a word left out."""
        if not self._tokens.exact:
            return Query("\n".join(columns), columns, b"", 0)
        ids, tail = self._tokens.assembled(columns)
        return Query("\n".join(columns), None, ids, tail)

    def take(self, slot: int, candidate: str) -> None:
        """Change the word at an index of the current text that no swap has touched."""
        word = self.slots[slot]
        piece, offset = self._piece_of[word], self._offset_of[word]
        length = len(self.row.words[word])
        growth = len(candidate) - length
        self.text = self.swapped(word, candidate)
        self._first_length += self._growth(piece, growth)
        old = self._pieces[piece]
        self._pieces[piece] = old[:offset] + candidate + old[offset + length :]
        if growth:
            self._starts[piece + 1 :] = [start + growth for start in self._starts[piece + 1 :]]
            for other in range(word + 1, len(self._piece_of)):
                if self._piece_of[other] != piece:
                    break
                self._offset_of[other] += growth
        if self._tokens.exact:
            self._ids[piece] = self._tokens.of(self._pieces[piece])
            self._flat = None
        parts = self.parts(candidate)
        self.words[slot : slot + 1] = parts
        self.slots[slot : slot + 1] = [-1] * len(parts)
        self.swaps.append((slot, candidate))

    def parts(self, candidate: str) -> Sequence[str]:
        """The words of a candidate, as TextAttack splits it."""
        return self.row.parts.get(candidate, (candidate,))

    def pieces_of_swaps(self) -> set[str]:
        """The pieces that single swaps of the current text would make, so that `Tokens` learns them in one call."""
        made: set[str] = set()
        for word, candidates in enumerate(self.row.candidates):
            old, offset = self._pieces[self._piece_of[word]], self._offset_of[word]
            end = offset + len(self.row.words[word])
            made.update(old[:offset] + candidate + old[end:] for candidate in candidates)
        return made


class SplitText(NamedTuple):
    """A text and the words that TextAttack splits it into."""

    text: str
    words: Sequence[str]


def words_around(split: SplitText, index: int, size: float) -> str:
    """The text from the first to the last of `size` words around the word at `index`; infinite: all words.

    A sentence encoder compares these. AttackedText.text_window_around_index of TextAttack 0.3.11.
    """
    words = split.words
    first: float
    last: float
    half = (size - 1) / 2.0
    if index - half < 0:
        first, last = 0, min(size - 1, len(words) - 1)
    elif index + half >= len(words):
        first, last = max(0, len(words) - size), len(words) - 1
    else:
        first, last = index - math.ceil(half), index + math.floor(half)
    return split.text[_start(split, int(first)) : _start(split, int(last)) + len(words[int(last)])]


def _start(split: SplitText, index: int) -> int:
    lower, at = split.text.lower(), 0
    for word in split.words[: index + 1]:
        at = lower.find(word.lower(), at) + len(word)
    return at - len(split.words[index])
