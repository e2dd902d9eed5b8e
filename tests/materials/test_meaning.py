from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rosearch.data.tasks import Split
from rosearch.encodings.purity import Judge
from rosearch.materials.meaning import Row, kept_pairs, measure_meaning

SPLIT = Split((("a good film",), ("it is bad",)), np.array([1, 0]))


def teacher(rows: Sequence[Row]) -> list[int]:
    return [int("good" in row[-1]) for row in rows]


def test_contrast_pairs_are_made_once_and_again_where_they_are_damaged(tmp_path: Path) -> None:
    first = kept_pairs(SPLIT, Judge("key", teacher), tmp_path)
    assert first == [(("a good film",), ("a bad film",)), (("it is bad",), ("it is good",))]

    def never(rows: Sequence[Row]) -> list[int]:
        raise AssertionError("asked again")

    assert kept_pairs(SPLIT, Judge("key", never), tmp_path) == first
    (kept,) = (tmp_path / "contrast").glob("*.json")
    kept.write_text("[[")
    assert kept_pairs(SPLIT, Judge("key", teacher), tmp_path) == first
    with pytest.raises(AssertionError, match="asked again"):
        kept_pairs(SPLIT, Judge("another teacher", never), tmp_path)


def test_a_model_that_answers_everything_alike_is_invariant_and_sees_no_contrast(tmp_path: Path) -> None:
    pairs = kept_pairs(SPLIT, Judge("key", teacher), tmp_path)
    found = measure_meaning(lambda rows: [0] * len(rows), pairs, 1, tokenizer=None)
    assert {share.value for share in found.invariance.values()} == {1.0}
    assert found.contrast is not None and found.contrast.value == 0.0 and found.purity is None
    seeing = measure_meaning(teacher, pairs, 1, tokenizer=None)
    assert seeing.contrast is not None and seeing.contrast.value == 1.0
