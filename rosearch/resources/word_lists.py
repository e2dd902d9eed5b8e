"""Lists that recipes read: stop words, the nearest words of each word, and characters that look alike."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from rosearch.resources.reading import damaged, read_json, read_lines

_STOP_WORDS = Path(__file__).with_name("stopwords_english.txt")  # travels with this package
_POINTS = re.compile(r"[0-9A-F]{4,6}\s*;")  # the beginning of a line in Unicode's tables


@lru_cache(maxsize=1)
def stop_words() -> frozenset[str]:
    """English stop words: NLTK's list, as TextAttack's `StopwordModification` takes it.

    No attack of ours swaps them, and no encoding gives them another code.
    """
    lines = _STOP_WORDS.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def is_withheld(one: str, other: str) -> bool:
    """True for half of all pairs of words, whichever way round: what a defence does not read where it `withholds`.

    A fixed half, by the hash of the pair, so that lists which hold one pair withhold it together.
    """
    pair = "\n".join(sorted((one.lower(), other.lower())))
    return bool(hashlib.blake2b(pair.encode(), digest_size=1).digest()[0] & 1)


class Neighbours:
    """Each word's nearest words in an embedding space, nearest first: candidates for swaps where no vectors are there.

    Jia et al. 2019 (arXiv 1909.00986) made such a list from the counter-fitted vectors of Mrksic et al. 2016
    (arXiv 1603.00892), with up to 8 words each, all in lower case.
    """

    def __init__(self, lists: dict[str, list[str]]) -> None:
        self._lists = lists

    def __contains__(self, word: str) -> bool:
        return word in self._lists

    def __len__(self) -> int:
        return len(self._lists)

    def words(self) -> list[str]:
        """All listed words, in the order of the file."""
        return list(self._lists)

    def of(self, word: str, most: int | None = None) -> list[str]:
        """Up to `most` words, nearest first; none for a word that is not listed. The list is the caller's own."""
        return self._lists.get(word, [])[:most]

    def half(self, *, withheld: bool) -> Neighbours:
        """The pairs that are withheld from a defence, or the others."""
        lists = self._lists.items()
        return Neighbours({word: [other for other in of if is_withheld(word, other) == withheld] for word, of in lists})


def read_neighbours(path: Path) -> Neighbours:
    """Read `{"word": ["nearest", ...], ...}` from `.json` or `.json.xz`. Raises `BadInput`."""
    expected = "a JSON object of word: list of words"
    lists = read_json(path, expected)
    if not isinstance(lists, dict):
        raise damaged(path, expected, f"a {type(lists).__name__}")
    for word, nearest in lists.items():
        if not isinstance(nearest, list) or not all(isinstance(other, str) for other in nearest):
            raise damaged(path, expected, f"{nearest!r:.60} for {word!r}")
    return Neighbours(lists)


def read_antonyms(paths: Sequence[Path]) -> dict[str, frozenset[str]]:
    """The opposites of each word, from lines of two words: the lists of counter-fitting (Mrksic et al. 2016).

    A pair counts both ways round, whichever way it is listed. Raises `BadInput`.
    """
    expected = "lines of two words"
    found: dict[str, set[str]] = {}
    for path in paths:
        for line in read_lines(path, expected):
            words = line.split()
            if words and len(words) != 2:
                raise damaged(path, expected, f"{line!r:.60}")
            for one, other in (words, words[::-1]) if words else ():
                found.setdefault(one, set()).add(other)
    return {word: frozenset(others) for word, others in found.items()}


def read_homoglyphs(path: Path) -> dict[str, tuple[str, ...]]:
    """Each character's look-alikes, in the order of the file.

    Two formats: Unicode's `intentional.txt` (TextAttack's `intentional_homoglyphs.txt`), whose lines end in
    `# ( x ~ y ) ...`, read as TextAttack reads it; and the homoglyph project's, where each line is one class of
    look-alikes and the first character of a class stands for it. Raises `BadInput`.
    """
    expected = "a table of homoglyphs"
    lines = [line for line in read_lines(path, expected) if line.strip() and not line.startswith("#")]
    unicode_table = any(_POINTS.match(line) for line in lines)
    table: dict[str, list[str]] = {}
    for line in lines:
        if unicode_table:
            _, _, told = line.replace("#*", "#").partition("#")
            if len(told) > 7:  # "# ( x ~ y )": TextAttack, too, skips what is shorter
                table.setdefault(told[3], []).append(told[7])
        else:
            table.setdefault(line[0], []).extend(line[1:])
    if not table:
        raise damaged(path, expected, "no line of one")
    return {character: tuple(dict.fromkeys(alike)) for character, alike in table.items()}
