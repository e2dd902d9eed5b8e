"""Nearest words in an embedding space, as lists: where swaps come from when the vectors cannot be had."""

from __future__ import annotations

from pathlib import Path

from rosearch.resources.resource_files import damaged, read_json


class Neighbours:
    """Each word's nearest words, nearest first.

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
