"""Purity: does the teacher's opinion stay when a word is read as its code, in the contexts where it stands?

>>> purity = Purity(texts, opinions)
>>> purity.of([("gorgeous", "beautiful")])
[1.0]

The contexts of a reading are training rows in which the word stands, then rows in which its code stands: in the
former the word is replaced by the code, in the latter the code by the word. So a word that the task does not have is
tried too, where an attack would put it. An opinion stays where the most likely class is the same and no more than
`SHIFT` of the probability moves: "good" for "best" hardly ever turns an answer, and yet says less.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rosearch.student.tokenization_rosearch import WORD

CONTEXTS = 3  # of a reading
LIMIT = 0.8  # a reading whose purity is below is left out; of three contexts, the opinion must stay in all
SHIFT = 0.15  # of the probability, half the sum of the classes' differences
_AROUND = 8  # words on either side that a context keeps, so that long texts cost no more than short ones
_HELD_OUT = 500  # rows that try no reading: the purity of the whole is measured there
_MEASURED = 2000  # words in them
_WORDS = re.compile(WORD)

Row = tuple[str, ...]
Opinion = Sequence[float]  # the probability of each class
Opinions = Callable[[Sequence[Row]], Sequence[Opinion]]


@dataclass(frozen=True)
class Judge:
    """The teacher of an encoding: `opinions` gives those on rows of texts, `key` names it in caches."""

    key: str
    opinions: Opinions

    def answers(self, rows: Sequence[Row]) -> list[int]:
        """The class of each row."""
        return [_answer(opinion) for opinion in self.opinions(rows)]


class Purity:
    """The purity of readings (word, code), on the rows of a task. The teacher's opinion is asked for once a text."""

    def __init__(self, texts: Sequence[Row], opinions: Opinions, contexts: int = CONTEXTS) -> None:
        """`opinions` gives the probabilities of the classes of each row of texts, by the teacher."""
        self._opinions = opinions
        self.contexts = contexts
        order = list(range(len(texts)))
        random.Random(0).shuffle(order)
        apart = min(_HELD_OUT, len(order) // 2)
        self._held_out = [_lower(texts[index]) for index in order[:apart]]
        self._places = _places([_lower(texts[index]) for index in order[apart:]], contexts)
        self._known: dict[Row, Opinion] = {}

    def of(self, readings: Sequence[tuple[str, str]]) -> list[float | None]:
        """The share of contexts in which the opinion stays, for each reading; None for one without a context."""
        pairs = [self._pairs(word, code) for word, code in readings]
        self._ask([row for own in pairs for pair in own for row in pair])
        kept = [[_stays(self._known[before], self._known[after]) for before, after in own] for own in pairs]
        return [sum(stayed) / len(stayed) if stayed else None for stayed in kept]

    def of_all(self, codes: Mapping[str, str]) -> float | None:
        """The share of words at which the opinion stays if one alone is read as its code, in rows that tried none.

        None where those rows hold no word with a code.
        """
        found = [
            (_context(row, word), word)
            for row in self._held_out
            for word in dict.fromkeys(word for text in row for word in _WORDS.findall(text))
            if word in codes
        ][:_MEASURED]
        pairs = [(row, _put(row, word, codes[word])) for row, word in found]
        self._ask([row for pair in pairs for row in pair])
        kept = [_stays(self._known[before], self._known[after]) for before, after in pairs]
        return sum(kept) / len(kept) if kept else None

    def _pairs(self, word: str, code: str) -> list[tuple[Row, Row]]:
        """Contexts before and after a reading."""
        own = [(_context(row, word), word, code) for row in self._places.get(word, ())]
        others = [(_context(row, code), code, word) for row in self._places.get(code, ())]
        return [(row, _put(row, old, new)) for row, old, new in (own + others)[: self.contexts]]

    def _ask(self, rows: Sequence[Row]) -> None:
        new = [row for row in dict.fromkeys(rows) if row not in self._known]
        if new:
            self._known |= dict(zip(new, self._opinions(new), strict=True))


def _answer(opinion: Opinion) -> int:
    return max(range(len(opinion)), key=opinion.__getitem__)


def _stays(before: Opinion, after: Opinion) -> bool:
    moved = sum(abs(one - two) for one, two in zip(before, after, strict=True)) / 2
    return _answer(before) == _answer(after) and moved <= SHIFT


class Judged:
    """The readings that a teacher has tried, and what it said of each: (word, code) to its purity."""

    def __init__(self, purity: Purity, limit: float = LIMIT) -> None:
        self._purity = purity
        self._limit = limit
        self._of: dict[tuple[str, str], float | None] = {}

    def stays(self, readings: Sequence[tuple[str, str]]) -> list[bool]:
        """For each reading True if the opinion stays often enough. One that stands nowhere is refused: nobody knows."""
        self._of |= dict(zip(readings, self._purity.of(readings), strict=True))
        return [(self._of[reading] or 0.0) >= self._limit for reading in readings]

    def summary(self, codes: Mapping[str, str]) -> dict[str, Any]:
        """The purity of the readings of an encoding, as plain data.

        `mean` is measured on rows that tried no reading: the readings were chosen on the others. `words` names the
        readings that were taken below 1, and `refused` those that were not: word to code and purity.
        """
        taken = {word: self._of[word, code] or 0.0 for word, code in codes.items()}
        refused = {
            word: [code, share]
            for (word, code), share in self._of.items()
            if word not in taken and (share or 0.0) < self._limit
        }
        return {
            "limit": self._limit,
            "contexts": self._purity.contexts,
            "mean": self._purity.of_all(codes),
            "words": {word: round(share, 3) for word, share in sorted(taken.items()) if share < 1},
            "refused": dict(sorted(refused.items())),
        }


def _lower(row: Row) -> Row:
    return tuple(text.lower() for text in row)


def _places(rows: Iterable[Row], most: int) -> dict[str, list[Row]]:
    """The first rows, up to `most`, of each word."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for word in {word for text in row for word in _WORDS.findall(text)}:
            if len(found[word]) < most:
                found[word].append(row)
    return dict(found)


def _context(row: Row, word: str) -> Row:
    """The row around a word: the words near its first place in each text; a text without it stays whole."""
    return tuple(_around(text.split(), word) for text in row)


def _around(words: list[str], word: str) -> str:
    place = next((place for place, other in enumerate(words) if word in _WORDS.findall(other)), None)
    if place is None:
        return " ".join(words)
    return " ".join(words[max(0, place - _AROUND) : place + _AROUND + 1])


def _put(row: Row, word: str, other: str) -> Row:
    """The row with a word replaced, wherever it stands."""
    return tuple(_WORDS.sub(lambda match: other if match.group() == word else match.group(), text) for text in row)
