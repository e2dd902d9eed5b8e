from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rosearch.data.tasks import Split
from rosearch.evaluation.contrast import Row, changes, contrast_pairs, kept_pairs, measure_contrast, opposites

ROWS = [("a good film",), ("it is bad",), ("nothing here",)]
SPLIT = Split(tuple(ROWS), np.array([1, 0, 0]))


def teacher(rows: Sequence[Row]) -> list[int]:
    return [int("good" in row[-1] or "not bad" in row[-1]) for row in rows]


def test_a_change_is_an_opposite_or_a_not_that_comes_or_goes() -> None:
    assert changes("The best film, which is not bad") == [
        "The worst film, which is not bad",
        "The best film, which is bad",
        "The best film, which is not good",
    ]
    assert changes("is it?") == ["is not it?"]


def test_pairs_are_the_changes_that_turn_the_teachers_answer() -> None:
    assert contrast_pairs(ROWS, teacher) == [
        (("a good film",), ("a bad film",)),
        (("it is bad",), ("it is not bad",)),
        (("it is bad",), ("it is good",)),
    ]


def test_contrast_is_the_share_of_pairs_that_a_model_answers_differently_too() -> None:
    pairs = contrast_pairs(ROWS, teacher)
    found = measure_contrast(pairs, lambda rows: [int("good" in row[-1]) for row in rows])
    assert found is not None and (found.value, found.n) == (2 / 3, 3)
    blind = measure_contrast(pairs, lambda rows: [0] * len(rows))
    assert blind is not None and blind.value == 0.0


def test_without_a_change_that_turns_the_answer_nothing_is_measured() -> None:
    assert contrast_pairs([("zebra",)], teacher) == []
    assert measure_contrast([], teacher) is None


def test_of_a_pair_of_texts_the_second_is_changed() -> None:
    assert contrast_pairs([("a good film", "good")], teacher) == [(("a good film", "good"), ("a good film", "bad"))]


def test_no_word_is_its_own_opposite() -> None:
    assert all(word != other for word, other in opposites().items())


def test_contrast_pairs_are_made_once_and_again_where_they_are_damaged(tmp_path: Path) -> None:
    first = kept_pairs(SPLIT, teacher, "key", tmp_path)
    assert first == contrast_pairs(SPLIT.texts, teacher)

    def never(rows: Sequence[Row]) -> list[int]:
        raise AssertionError("asked again")

    assert kept_pairs(SPLIT, never, "key", tmp_path) == first
    (kept,) = (tmp_path / "contrast").glob("*.json")
    kept.write_text("[[")
    assert kept_pairs(SPLIT, teacher, "key", tmp_path) == first
    with pytest.raises(AssertionError, match="asked again"):
        kept_pairs(SPLIT, never, "another teacher", tmp_path)
