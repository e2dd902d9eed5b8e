"""Clusters of synonyms: words that attacks swap for one another get one code.

The scheme is that of the synonym encoding method (Wang et al. 2021, arXiv 1909.06723): words are visited from the most
frequent; one that has no code takes that of its nearest neighbour that has one, else its own, and hands it on to its
neighbours that have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def synonym_codes(counts: Mapping[str, int], neighbours: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The code of each word that has one other than itself. `counts` are the words of the task, `neighbours` each
    word's synonyms, nearest first.
    """
    codes: dict[str, str] = {}
    for word in sorted({*counts, *neighbours}, key=lambda word: (-counts.get(word, 0), word)):
        if word in codes:
            continue
        others = neighbours.get(word, ())
        codes[word] = next((codes[other] for other in others if other in codes), word)
        for other in others:
            codes.setdefault(other, codes[word])
    return {word: code for word, code in codes.items() if code != word}
