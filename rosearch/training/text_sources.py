"""Sources of perturbed text: each replaces single words in the way of the attacks that it stands for."""

from __future__ import annotations

import re
import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from rosearch.resources.word_lists import stop_words
from rosearch.student.tokenization_rosearch import WORD as WORD_PATTERN

WORD = re.compile(WORD_PATTERN)  # the same words as those of robust encodings
_REMEMBERED = 2**17
_LEAD = "a"  # a word that no vocabulary lacks: what is read behind it stands in the middle of a text
_LETTERS = string.ascii_lowercase

Texts = Sequence[Sequence[str]]  # the texts of each training row


class Source(ABC):
    """Perturbations of texts.

    Most keep the meaning of a text, so that the teacher's answer to the clean text holds. Where `asks_teacher` is True
    they do not: the teacher is asked about the perturbed text.
    """

    asks_teacher = False

    @abstractmethod
    def perturb(self, rows: Texts, share: float, rng: np.random.Generator) -> list[tuple[str, ...]]:
        """The texts of rows, perturbed; about `share` of the words change."""


class WordSource(Source):
    """Replacements of words, which must be given in lower case. Stop words stay, but where the teacher is asked."""

    def perturb(self, rows: Texts, share: float, rng: np.random.Generator) -> list[tuple[str, ...]]:
        """See `Source`; text by text, see `perturb`."""
        return [tuple(perturb(text, self, share, rng) for text in row) for row in rows]

    @abstractmethod
    def candidates(self, word: str) -> tuple[str, ...]:
        """All replacements of a word; empty if they are too many to list."""

    @abstractmethod
    def draw(self, word: str, rng: np.random.Generator) -> str | None:
        """A random replacement, or None if there is none."""


class Characters(WordSource):
    """One random edit: a swap of adjacent letters, a substitution, a deletion or an insertion.

    These are the four edits of DeepWordBug (Gao et al. 2018, arXiv 1801.04354), drawn as TextAttack draws them.
    """

    def candidates(self, word: str) -> tuple[str, ...]:
        """Always empty."""
        return ()

    def draw(self, word: str, rng: np.random.Generator) -> str | None:
        """The edited word, or None for a single letter or an edit that changes nothing."""
        if len(word) < 2:
            return None
        kind, letter = int(rng.integers(4)), _LETTERS[int(rng.integers(len(_LETTERS)))]
        place = int(rng.integers(len(word) + (kind == 3) - (kind == 0)))
        before, after = word[:place], word[place:]
        made = (
            before + after[1:2] + after[:1] + after[2:],
            before + letter + after[1:],
            before + after[1:],
            before + letter + after,
        )[kind]
        return None if made == word else made


class OtherWords(WordSource):
    """A word becomes a word of the task's texts, is left out, or is followed by one: "not" comes, goes and stays.

    A student that learns only what it must not tell apart tells less apart than its teacher.
    """

    asks_teacher = True

    def __init__(self, texts: Texts) -> None:
        """`texts` are the texts of each training row; frequent words are drawn often."""
        self._texts = texts

    def candidates(self, word: str) -> tuple[str, ...]:
        """Always empty."""
        return ()

    def draw(self, word: str, rng: np.random.Generator) -> str | None:
        """Another word, nothing, or the word and another; None where the text that was drawn has no word."""
        words = words_of(random_text(self._texts, rng))
        kind = int(rng.integers(3))
        if not words:
            return None
        other = words[int(rng.integers(len(words)))].word
        return (other, "", f"{word} {other}")[kind]


def random_text(rows: Texts, rng: np.random.Generator) -> str:
    """One of the texts of a random row."""
    row = rows[int(rng.integers(len(rows)))]
    return row[int(rng.integers(len(row)))]


class Listed(WordSource):
    """Words from a list; entries that are no single word are left out."""

    def __init__(self, others: Callable[[str], Sequence[str]]) -> None:
        @lru_cache(maxsize=_REMEMBERED)
        def candidates(word: str) -> tuple[str, ...]:
            return tuple(other for other in others(word) if WORD.fullmatch(other) and other.lower() != word)

        self._candidates = candidates

    def candidates(self, word: str) -> tuple[str, ...]:
        """The replacements, in the order of the list."""
        return self._candidates(word)

    def draw(self, word: str, rng: np.random.Generator) -> str | None:
        """A replacement, uniformly at random."""
        found = self._candidates(word)
        return found[int(rng.integers(len(found)))] if found else None


class Word(NamedTuple):
    """A word of a text: its place, and its lower-case form."""

    start: int
    end: int
    word: str


def words_of(text: str) -> list[Word]:
    """The words of a text, in order."""
    return [Word(match.start(), match.end(), match.group().lower()) for match in WORD.finditer(text)]


def replaced(text: str, swaps: Sequence[tuple[Word, str]]) -> str:
    """The text with words replaced; `swaps` must be in the order of the text."""
    parts, end = [], 0
    for word, other in swaps:
        parts += [text[end : word.start], other]
        end = word.end
    return "".join([*parts, text[end:]])


def open_to_change(words: Sequence[Word]) -> list[Word]:
    """The words that are no stop words. A student that learns to read past a lost "not" cannot tell texts apart."""
    stop = stop_words()
    return [word for word in words if word.word not in stop]


def chosen_words(words: Sequence[Word], share: float, rng: np.random.Generator) -> list[Word]:
    """Each of the words with probability `share`; at least one, where there is any."""
    if not words:
        return []
    chosen = rng.random(len(words)) < share
    if not chosen.any():
        chosen[rng.integers(len(words))] = True
    return [word for word, change in zip(words, chosen.tolist(), strict=True) if change]


def perturb(text: str, source: WordSource, share: float, rng: np.random.Generator) -> str:
    """The text with each word that is open to change chosen with probability `share`; at least one word is chosen.

    A chosen word without a replacement stays.
    """
    words = words_of(text) if source.asks_teacher else open_to_change(words_of(text))
    drawn = [(word, source.draw(word.word, rng)) for word in chosen_words(words, share, rng)]
    return replaced(text, [(word, other) for word, other in drawn if other is not None])


def single_pieces(tokenizer: Any, words: Sequence[str]) -> dict[str, int]:
    """The words that a tokenizer reads as one known piece in the middle of a text, each with its id."""
    if not words:
        return {}
    before = list(tokenizer(_LEAD, add_special_tokens=False, verbose=False)["input_ids"])
    texts = [f"{_LEAD} {word}" for word in words]
    read = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    alone = ((word, ids[-1]) for word, ids in zip(words, read, strict=True) if list(ids[:-1]) == before)
    return {word: number for word, number in alone if number != tokenizer.unk_token_id}
