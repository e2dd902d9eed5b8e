from __future__ import annotations

from typing import Any

import pytest

from rosearch.encodings.book import describe, explain

DATA: dict[str, Any] = {
    "encoding": "typos+synonyms",
    "ratio": 1e12,
    "weights": {"film": 70.0, "flick": 0.5, "movie": 60.0, "awful": 2.0, "bad": 9.0, "harbor": 1.0, "sikh": 0.5},
    "codes": {"flick": "film", "movie": "film", "awful": "bad"},
    "apart": ["sikh"],
    "purity": {"limit": 0.8, "contexts": 5, "mean": 0.9, "words": {"flick": 0.8}, "refused": {"harbor": ["bad", 0.2]}},
}
OLD = {key: DATA[key] for key in ("encoding", "ratio", "weights", "codes")}


@pytest.mark.parametrize(
    ("word", "read_as", "because"),
    [
        ("Flick", "film", "code"),
        ("film", "film", "centre"),
        ("fillm", "film", "typo"),
        ("sikh", "sikh", "apart"),
        ("harbor", "harbor", "refused"),
        ("the", "the", "stop word"),
        ("zebra", "zebra", "itself"),
    ],
)
def test_a_word_is_explained(word: str, read_as: str, because: str) -> None:
    found = explain(DATA, word)
    assert (found["read_as"], found["because"]) == (read_as, because)


def test_an_explanation_names_cluster_purity_and_what_was_refused() -> None:
    assert explain(DATA, "flick")["cluster"] == ["film", "flick", "movie"]
    assert explain(DATA, "flick")["purity"] == 0.8 and explain(DATA, "movie")["purity"] == 1.0
    assert explain(DATA, "harbor")["refused"] == {"code": "bad", "purity": 0.2}


def test_sizes_and_the_largest_clusters_are_described() -> None:
    found = describe(DATA, largest=1)
    assert (found["words_merged"], found["clusters"], found["largest_cluster"]) == (3, 2, 3)
    assert found["largest"] == [{"code": "film", "words": ["flick", "movie"], "purity": 0.9}]
    assert (found["purity"], found["readings_refused"], found["words_apart"]) == (0.9, 1, 1)


def test_an_encoding_of_an_older_version_is_read_without_purity() -> None:
    assert describe(OLD)["purity"] is describe(OLD)["words_apart"] is None
    assert explain(OLD, "flick")["read_as"] == "film" and explain(OLD, "flick")["purity"] is None
