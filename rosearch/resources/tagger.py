"""Parts of speech in the universal tagset, by NLTK's averaged perceptron."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rosearch.resources.reading import Package, damaged, read_json

_REMEMBERED = 2**15  # sentences, or the parts that constraints cut from them
TAGGER_PACKAGE = "averaged_perceptron_tagger_eng"
TAGGER_FILES = tuple(f"{TAGGER_PACKAGE}.{part}.json" for part in ("weights", "tagdict", "classes"))
UNIVERSAL_MAP = "en-ptb.map"  # in NLTK's package universal_tagset


class Tagger:
    """The tags of `nltk.pos_tag(words, tagset="universal", lang="eng")`, without NLTK's folder of data.

    Features and greedy decoding are NLTK's own code. `weights` maps a feature to the weight of each tag,
    `tagdict` a word that needs no features to its tag, `universal` a Penn tag to the universal one (Petrov et al.
    2012, arXiv 1104.2086).
    """

    def __init__(
        self,
        weights: Mapping[str, Mapping[str, float]],
        tagdict: dict[str, str],
        classes: Iterable[str],
        universal: Mapping[str, str],
    ) -> None:
        from nltk.tag.perceptron import PerceptronTagger

        self._tagger = PerceptronTagger(load=False)
        self._tagger.model = _Perceptron(weights, classes)
        self._tagger.tagdict = tagdict
        self._universal = universal
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._tags)

    def tag(self, words: Sequence[str]) -> list[tuple[str, str]]:
        """(word, universal tag) of each word of one sentence; X for a tag that the map does not know."""
        return list(zip(words, self._remembered(tuple(words)), strict=True))

    def _tags(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._universal.get(tag, "X") for _, tag in self._tagger.tag(list(words)))


class _Perceptron:
    """NLTK's `AveragedPerceptron.predict` with a row of numbers for each feature.

    Rows are added in NLTK's order, and 0.0 for a tag without a weight: scores are equal to the last bit.
    """

    def __init__(self, weights: Mapping[str, Mapping[str, float]], classes: Iterable[str]) -> None:
        self._weights = weights
        self._tags = sorted(classes, reverse=True)  # among equal scores NLTK takes the last in the alphabet
        self._columns = {tag: column for column, tag in enumerate(self._tags)}
        self._rows: dict[str, Any] = {}

    def predict(self, features: Mapping[str, int], return_conf: bool = False) -> tuple[str, None]:
        """The best tag; NLTK's tagger asks for no confidence. All features that it makes have the value 1."""
        scores = np.zeros(len(self._tags))
        for feature in features:
            if feature in self._weights:
                scores += self._row(feature)
        return self._tags[int(scores.argmax())], None

    def _row(self, feature: str) -> Any:
        row = self._rows.get(feature)
        if row is None:
            row = self._rows[feature] = np.zeros(len(self._tags))
            for tag, weight in self._weights[feature].items():
                row[self._columns[tag]] = weight
        return row


def read_tagger(source: Path | Package, universal: Package) -> Tagger:
    """Read one JSON file with weights, tagdict and classes (`.json` or `.xz`), or NLTK's package of three.

    Raises `BadInput`.
    """
    if isinstance(source, Package):
        parts = {part: source.json(file) for part, file in zip(("weights", "tagdict", "classes"), TAGGER_FILES)}
    else:
        parts = read_json(source, "weights, tagdict and classes of a perceptron tagger as JSON")
    lines = (line.strip().split("\t") for line in universal.read(UNIVERSAL_MAP).decode().splitlines() if line.strip())
    try:
        return Tagger(parts["weights"], parts["tagdict"], parts["classes"], dict(lines))
    except (KeyError, TypeError, ValueError) as error:
        path = source.path if isinstance(source, Package) else source
        raise damaged(path, "weights, tagdict and classes of a perceptron tagger", error) from None
