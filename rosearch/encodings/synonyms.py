"""Codes for words that attacks swap for one another: a word is read as its code, and the swap goes unseen.

A cluster is a star. Its centre is a word of the task, and each of its other words is tied to the centre itself: a
neighbour by counter-fitted vectors (the lists of Jia et al. 2019, arXiv 1909.00986), or a far rarer synonym in WordNet,
because attacks swap in rare words. So two words of a cluster are at most two ties apart, and chains of synonyms make
none. The synonym encoding method (Wang et al. 2021, arXiv 1909.06723) hands codes on from neighbour to neighbour:
clusters of 354 words came of it, in which "buddhist" was read as "funny".

Stop words, which attacks leave alone, and words that stay apart (`encodings.apart`) are read as themselves.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from rosearch.resources.word_lists import stop_words

LARGEST = 24  # words of a cluster, its centre included
_RARER = 5.0  # times rarer than a synonym of WordNet: the word may then be read as the synonym
_ROUNDS = 3  # what is refused as a reading of one centre may become one itself, or be read as another

Stays = Callable[[Sequence[tuple[str, str]]], Sequence[bool]]
Ties = Mapping[str, Sequence[str]]


def synonym_codes(
    counts: Mapping[str, int],
    neighbours: Mapping[str, Sequence[str]],
    related: Callable[[str], Sequence[str]],
    apart: AbstractSet[str] = frozenset(),
    stays: Stays | None = None,
) -> dict[str, str]:
    """The code of each word whose code is not the word itself. A code's own code is the code.

    `counts` are the occurrences of the task's words, `neighbours` the lists of nearest words, nearest first, and
    `related` gives WordNet's synonyms of a word. Words of `apart` have no code and are none. `stays` says of readings
    (word, code) whether meaning stays; those it refuses are left out. Without it all are taken.
    """
    alone = apart | stop_words()
    free = {word: count for word, count in counts.items() if word not in alone}
    lists = {
        word: [other for other in others if other not in alone]
        for word, others in neighbours.items()
        if word not in alone
    }
    synonyms = {word: [other for other in related(word) if other not in alone] for word in sorted({*free, *lists})}
    ties = _ties(free, lists, synonyms)
    judged: dict[tuple[str, str], bool] = {}
    codes = _stars(free, ties, judged)
    if stays is None:
        return dict(sorted(codes.items()))
    for _ in range(_ROUNDS):
        new = [reading for reading in codes.items() if reading not in judged]
        judged |= dict(zip(new, stays(new), strict=True))
        codes = _stars(free, ties, judged)
    return {word: code for word, code in sorted(codes.items()) if judged.get((word, code))}


def _ties(counts: Mapping[str, int], neighbours: Ties, synonyms: Ties) -> dict[str, list[str]]:
    """The centres that each word may have, the closest first: by number of ties, by rank as a neighbour, by count."""
    links: dict[str, Counter[str]] = defaultdict(Counter)
    ranks: dict[str, dict[str, int]] = defaultdict(dict)
    for word, others in neighbours.items():
        for rank, other in enumerate(others):
            for one, two in ((word, other), (other, word)):
                links[one][two] += 1
                ranks[one][two] = min(rank, ranks[one].get(two, rank))
    for word, others in synonyms.items():
        for other in others:
            for one, two in ((word, other), (other, word)):
                if two in links[one] or counts.get(two, 0) > (counts.get(one, 0) + 0.5) * _RARER:
                    links[one][two] += 1

    def closest(word: str) -> list[str]:
        rank = ranks[word]
        return sorted(
            (other for other in links[word] if counts.get(other) and _order(counts, other) < _order(counts, word)),
            key=lambda other: (-links[word][other], rank.get(other, len(links[word])), _order(counts, other)),
        )

    return {word: closest(word) for word in sorted({*counts, *links})}


def _order(counts: Mapping[str, int], word: str) -> tuple[int, str]:
    return (-counts.get(word, 0), word)


def _stars(
    counts: Mapping[str, int], ties: Mapping[str, Sequence[str]], judged: Mapping[tuple[str, str], bool]
) -> dict[str, str]:
    """Each word's centre, where it is not the word itself. Words are visited from the most frequent."""
    sizes: dict[str, int] = {}
    codes: dict[str, str] = {}
    for word in sorted(ties, key=lambda word: _order(counts, word)):
        code = next(
            (other for other in ties[word] if sizes.get(other, LARGEST) < LARGEST and judged.get((word, other), True)),
            word,
        )
        sizes[code] = sizes.get(code, 0) + 1
        if code != word:
            codes[word] = code
    return codes
