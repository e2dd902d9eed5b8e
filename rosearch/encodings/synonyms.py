"""Codes for words that attacks swap for one another: a word is read as its code, and the swap goes unseen.

Two steps. Stop words, which attacks leave alone, keep their own meaning throughout.

1. Clusters of neighbours, by the synonym encoding method (Wang et al. 2021, arXiv 1909.06723). Words are visited from
   the most frequent. A word without a code takes the code of its nearest neighbour with one, else itself, and hands it
   on to its neighbours without one.
2. A word far rarer than one of its synonyms in WordNet is read as that synonym (ours): attacks swap in rare words.

Merging clusters that WordNet relates, and of which the teacher thinks alike, was left out: in one-off trials it cost
about as much clean accuracy as it won under PWWS.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from rosearch.resources.word_lists import stop_words

_RARER = 5.0  # times rarer than a synonym: the word is then read as the synonym


def synonym_codes(
    counts: Mapping[str, int],
    neighbours: Mapping[str, Sequence[str]],
    related: Callable[[str], Sequence[str]],
    rarer: float = _RARER,
) -> dict[str, str]:
    """The code of each word whose code is not the word itself.

    `counts` are the occurrences of the task's words, `neighbours` the lists of nearest words, nearest first. `related`
    gives WordNet's synonyms of a word.
    """
    stop = frozenset(stop_words())
    counts = {word: count for word, count in counts.items() if word not in stop}
    codes = _clusters(counts, {word: _without(stop, others) for word, others in neighbours.items() if word not in stop})
    synonyms = {word: _without(stop, related(word)) for word in sorted({*codes, *counts})}
    codes = _read_as_frequent(codes, counts, synonyms, rarer)
    return {word: code for word, code in sorted(codes.items()) if code != word}


def _without(stop: frozenset[str], words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in stop]


def _clusters(counts: Mapping[str, int], neighbours: Mapping[str, Sequence[str]]) -> dict[str, str]:
    codes: dict[str, str] = {}
    for word in sorted({*counts, *neighbours}, key=lambda word: (-counts.get(word, 0), word)):
        if word in codes:
            continue
        others = neighbours.get(word, ())
        codes[word] = next((codes[other] for other in others if other in codes), word)
        for other in others:
            codes.setdefault(other, codes[word])
    return codes


def _read_as_frequent(
    codes: Mapping[str, str], counts: Mapping[str, int], synonyms: Mapping[str, Sequence[str]], rarer: float
) -> dict[str, str]:
    """The codes, with rare words read as their most frequent synonym. Synonyms count in both directions."""
    others: dict[str, set[str]] = defaultdict(set)
    for word, related in synonyms.items():
        for other in related:
            others[word].add(other)
            others[other].add(word)
    read = dict(codes)
    for word, alike in others.items():
        known = [other for other in alike if counts.get(other, 0) > (counts.get(word, 0) + 0.5) * rarer]
        if known:
            most = min(known, key=lambda other: (-counts[other], other))
            read[word] = codes.get(most, most)
    return read
