"""The words that an encoding merges, and why a word is read as it is: plain data, from the content of `encoding.json`.

>>> describe(data)["purity"]
0.97
>>> explain(data, "flick")["read_as"]
'film'

An encoding of an older version has no purity, and no words that stay apart: both are then None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from rosearch.resources.word_lists import stop_words
from rosearch.student.tokenization_rosearch import WordEncoding

_LARGEST = 10  # clusters that are described


def describe(data: Mapping[str, Any], largest: int = _LARGEST) -> dict[str, Any]:
    """Sizes, purity and the largest clusters of an encoding."""
    clusters, purity = _clusters(data), data.get("purity") or {}
    by_size = sorted(clusters, key=lambda code: (-len(clusters[code]), code))
    apart = data.get("apart")
    return {
        "encoding": data["encoding"],
        "known_words": len(data["weights"]),
        "words_merged": len(data["codes"]),
        "clusters": len(clusters),
        "largest_cluster": len(clusters[by_size[0]]) + 1 if by_size else 0,
        "words_apart": None if apart is None else len(apart),
        "purity": purity.get("mean"),
        "purity_limit": purity.get("limit"),
        "contexts": purity.get("contexts"),
        "readings_refused": len(purity["refused"]) if purity else None,
        "largest": [
            {"code": code, "words": sorted(clusters[code]), "purity": _purity(data, clusters[code])}
            for code in by_size[:largest]
        ],
    }


def explain(data: dict[str, Any], word: str) -> dict[str, Any]:
    """The reading of a word, why it is so, and the cluster that it then shares.

    `because` is one of `stop word`, `apart`, `refused`, `typo`, `code`, `centre` and `itself`. `refused` names the
    reading that changed the teacher's answers, with its purity.
    """
    word = word.lower()
    code, clusters = WordEncoding(data).word(word), _clusters(data)
    known = word in data["codes"]
    purity = data.get("purity") or {}
    refused = purity.get("refused", {}).get(word)
    return {
        "word": word,
        "read_as": code,
        "because": _because(data, word, code, centre=word in clusters, refused=refused is not None),
        "purity": purity.get("words", {}).get(word, 1.0) if known and purity else None,
        "refused": None if refused is None else {"code": refused[0], "purity": refused[1]},
        "cluster": sorted({code, *clusters.get(code, ())}),
    }


def _because(data: Mapping[str, Any], word: str, code: str, *, centre: bool, refused: bool) -> str:
    reasons = {
        "code": word in data["codes"],
        "typo": word != code,
        "stop word": word in stop_words(),
        "apart": word in (data.get("apart") or ()),
        "centre": centre,
        "refused": refused,
    }
    return next((reason for reason, holds in reasons.items() if holds), "itself")


def _clusters(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """The words that are read as each code, without the code itself."""
    found: dict[str, list[str]] = defaultdict(list)
    for word, code in data["codes"].items():
        found[code].append(word)
    return dict(found)


def _purity(data: Mapping[str, Any], words: list[str]) -> float | None:
    """The mean over a cluster's words."""
    if not data.get("purity"):
        return None
    below: dict[str, float] = data["purity"]["words"]
    return sum(below.get(word, 1.0) for word in words) / len(words)
