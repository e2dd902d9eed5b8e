"""Words that stay apart: an encoding reads each of them as itself, and no other word as one of them.

Names of people and places, nationalities, faiths, groups of people, numbers, quantities, negations and days. A student
that could not tell two of them apart would be blind to the question whether it treats them alike. The words come from a
list of our own (`words_apart.txt`) and, where WordNet is there, from its capitalised names and from what it does not
know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from pathlib import Path

_LIST = Path(__file__).with_name("words_apart.txt")  # travels with this package
_SHORTEST = 3  # letters of a name in WordNet: "As" and "In" are elements of chemistry

Senses = Callable[[str], Sequence[Sequence[str]]]  # the names of each sense of a word


@lru_cache(maxsize=1)
def listed_apart() -> frozenset[str]:
    """The words of the list, in lower case, and their plurals in -s.

    >>> {"buddhist", "buddhists", "seven", "amina"} <= listed_apart()
    True
    """
    words: set[str] = set()
    for paragraph in _LIST.read_text(encoding="utf-8").split("\n\n")[1:]:  # the first says what the file is
        heading, _, listed = paragraph.partition("\n")
        words.update(listed.split())
        if " names" not in heading:  # "Mark" and "Grant" have none: "marks" and "grants" are other words
            words.update(f"{word}s" for word in listed.split())
    return frozenset(words)


def words_apart(
    words: Iterable[str], senses: Senses | None = None, pieces: AbstractSet[str] = frozenset()
) -> frozenset[str]:
    """The words among these that stay apart, in lower case. Without `senses`, those of the list alone.

    `senses` gives WordNet's names of each sense of a word, as written there: `WordNet.synsets` is one. `pieces` are the
    whole words of a tokenizer: of those that WordNet does not know most are names, and the rest carry little meaning.
    """
    listed = listed_apart()
    return frozenset(
        word
        for word in words
        if word in listed or (senses is not None and _is_name(senses(word), word, known=word not in pieces))
    )


def _is_name(senses: Sequence[Sequence[str]], word: str, *, known: bool) -> bool:
    """True for a word that every sense writes with a capital; for one without senses, if it is a piece."""
    if len(word) < _SHORTEST:
        return False
    # A plural is found by its beginning.
    found = [[name for name in names if len(name) >= _SHORTEST and word.startswith(name.lower())] for names in senses]
    return all(own and all(name[0].isupper() for name in own) for own in found) if found else not known
