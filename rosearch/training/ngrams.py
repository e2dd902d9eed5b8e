"""Replacements chosen by a table: those that make words, and pairs of words, rarest among the training rows.

Some 90 % of word attacks lower the frequency of n-grams, and training on replacements that lower it most is about as
good as a gradient (Lu et al. 2023, arXiv 2302.02568, where pairs of words do best). Ours takes the logarithm of counts,
of single words and pairs together, so that one frequent word does not outweigh all that stands around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import log1p

import numpy as np

from rosearch.training.method import Text
from rosearch.training.text_sources import Word, WordSource, open_to_change, replaced, words_of

_Choice = tuple[float, int, Word, str]  # what the logarithms fall by, the column of a word, the word, its replacement


class Rarest:
    """Chooses replacements by the counts of n-grams in the texts of all training rows, of one word and of two."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self.counts = count_ngrams(tuple(texts))

    def perturb(
        self, texts: Sequence[Text], source: WordSource, share: float, rng: np.random.Generator
    ) -> list[Text | None]:
        """Each row of `texts` with words replaced where that lowers the counts most; None where nothing lowers them.

        A word gets its rarest replacement among the words that stand there now. The number of replaced words is drawn
        from 1 to share x words.
        """
        made: list[Text | None] = []
        for text in texts:
            found: list[_Choice] = []
            total = sum(self._collect(column, part, source, found) for column, part in enumerate(text))
            if not found:
                made.append(None)
                continue
            most = max(1, round(share * total))
            chosen = sorted(found, reverse=True)[: int(rng.integers(1, most + 1))]
            made.append(tuple(_swapped(part, column, chosen) for column, part in enumerate(text)))
        return made

    def fall(self, before: str, word: str, after: str, other: str) -> float:
        """The logarithms of 1 + count that a swap takes away, over the n-grams that hold the word; "": no word."""
        return self._sum(before, word, after) - self._sum(before, other, after)

    def _sum(self, before: str, word: str, after: str) -> float:
        grams = (word, f"{before} {word}" if before else "", f"{word} {after}" if after else "")
        return sum(log1p(self.counts.get(gram, 0)) for gram in grams)

    def _collect(self, column: int, part: str, source: WordSource, found: list[_Choice]) -> int:
        """Adds the best swap of each word that has one; returns the number of words open to change."""
        words = words_of(part)
        free = set(open_to_change(words))
        around = ["", *(word.word for word in words), ""]
        for at, word in enumerate(words):
            others = source.candidates(word.word) if word in free else ()
            falls = [(self.fall(around[at], word.word, around[at + 2], other.lower()), other) for other in others]
            fall, other = max(falls, default=(0.0, ""))
            if fall > 0:
                found.append((fall, column, word, other))
        return len(free)


def _swapped(part: str, column: int, chosen: Sequence[_Choice]) -> str:
    return replaced(part, sorted((word, other) for _, place, word, other in chosen if place == column))


@lru_cache(maxsize=1)
def count_ngrams(texts: tuple[Text, ...]) -> dict[str, int]:
    """How often each word, and each pair of words in a row, stands in the texts; made once for all students of a task.

    Words are in lower case, and a pair is written with a space.
    """
    counts: Counter[str] = Counter()
    for row in texts:
        for text in row:
            words = [word.word for word in words_of(text)]
            counts.update(words)
            counts.update(f"{one} {other}" for one, other in pairwise(words))
    return dict(counts)
