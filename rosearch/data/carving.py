"""Rows drawn for a split that a source does not have: seeded, stratified by label."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from rosearch.data.tasks import Labels, Rows, Split

_PHRASE_WORDS = 3  # shorter phrases are vocabulary, not a leak


def carve(train: Split, rows: int, rng: np.random.Generator, phrases: bool = False) -> tuple[Split, Split]:
    """The rest of `train`, and a validation split of `rows` rows taken out of it.

    A text that occurs twice stays in training, so that no validation text is seen there. `phrases` is for data whose
    rows are phrases of one another (SST-2's training split): only rows that are part of no other are taken, and their
    own phrases of three words or more leave training. Raises `ValueError` where too few rows can be taken.
    """
    count = Counter(train.texts)
    eligible = np.array([count[text] == 1 for text in train.texts])
    if phrases:
        eligible &= ~_parts_of_others([text[0] for text in train.texts])
    if eligible.sum() < rows or rows > len(train) // 2:
        most = min(int(eligible.sum()), len(train) // 2)
        doubled = len(train) - sum(value == 1 for value in count.values())
        advice = f"; {doubled} rows' texts do: leave one row of each" if doubled and rows <= len(train) // 2 else ""
        whole = f"half of the {len(train)} training rows, and none whose text occurs elsewhere"
        raise ValueError(f"at most {most} ({whole}{advice})")
    taken = _stratified(train.labels, np.flatnonzero(eligible), rows, rng)
    kept = np.ones(len(train), bool)
    kept[taken] = False
    if phrases:
        spans = {span for row in taken for span in _spans(train.texts[row][0].split(), _PHRASE_WORDS)}
        kept &= np.array([text[0] not in spans for text in train.texts])
    return train.take(np.flatnonzero(kept)), train.take(taken)


def sample(split: Split, rows: int, rng: np.random.Generator) -> Split:
    """`rows` rows in their old order and proportions of labels. Raises `ValueError` where there are fewer."""
    if rows > len(split):
        raise ValueError(f"at most {len(split)}, the rows that training has")
    return split.take(_stratified(split.labels, np.arange(len(split)), rows, rng))


def _stratified(labels: Labels, eligible: Rows, rows: int, rng: np.random.Generator) -> Rows:
    """`rows` of the eligible rows, sorted; each class gets its share, rounded by largest remainders."""
    if labels.dtype != np.int64:
        return np.sort(rng.permutation(eligible)[:rows])
    classes, counts = np.unique(labels[eligible], return_counts=True)
    shares = counts * rows / len(eligible)
    quotas = np.floor(shares).astype(np.int64)
    quotas[np.argsort(quotas - shares, kind="stable")[: rows - quotas.sum()]] += 1
    taken = [
        rng.permutation(eligible[labels[eligible] == value])[:quota]
        for value, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate(taken))


def _parts_of_others(texts: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(rows,) True where all words of a text stand, in their order, inside another text."""
    rows = [tuple(text.split()) for text in texts]
    lengths: dict[tuple[str, ...], set[int]] = defaultdict(set)  # lengths of the texts by their first one or two words
    for words in rows:
        lengths[words[:2]].add(len(words))
    parts = set()
    for words in rows:
        for start in range(len(words)):
            for size in (
                *lengths.get(words[start : start + 1], ()),
                *lengths.get(words[start : start + 2], ()),
            ):
                if size < len(words) and start + size <= len(words):
                    parts.add(words[start : start + size])
    return np.array([words in parts for words in rows])


def _spans(words: Sequence[str], least: int) -> list[str]:
    ends = range(least, len(words) + 1)
    return [" ".join(words[start:end]) for end in ends for start in range(end - least + 1)]
