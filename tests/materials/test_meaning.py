from __future__ import annotations

from collections.abc import Sequence

from rosearch.evaluation.contrast import contrast_pairs
from rosearch.materials.meaning import Row, measure_meaning


def teacher(rows: Sequence[Row]) -> list[int]:
    return [int("good" in row[-1]) for row in rows]


def test_a_model_that_answers_everything_alike_is_invariant_and_sees_no_contrast() -> None:
    pairs = contrast_pairs([("a good film",), ("it is bad",)], teacher)
    found = measure_meaning(lambda rows: [0] * len(rows), pairs, 1, tokenizer=None)
    assert {share.value for share in found.invariance.values()} == {1.0}
    assert found.contrast is not None and found.contrast.value == 0.0 and found.purity is None
    seeing = measure_meaning(teacher, pairs, 1, tokenizer=None)
    assert seeing.contrast is not None and seeing.contrast.value == 1.0
