from __future__ import annotations

from collections.abc import Sequence

import pytest

from rosearch.evaluation.invariance import EXCHANGES, KINDS, Row, exchanges, measure_invariance


def test_a_model_that_reads_no_names_is_invariant_and_one_that_does_is_not() -> None:
    assert {share.value for share in measure_invariance(lambda rows: [0] * len(rows)).values()} == {1.0}

    def prejudiced(rows: Sequence[Row]) -> list[int]:
        return [int("Muslim" in row[0]) for row in rows]

    found = measure_invariance(prejudiced)
    assert found["name"].value == found["nationality"].value == 1.0
    assert found["religion"].value < 0.95


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [1, 2])
def test_an_exchange_changes_one_word_in_every_text(kind: str, texts: int) -> None:
    pairs = exchanges(kind, texts)
    assert len(pairs) == EXCHANGES * len(KINDS[kind][0]) and pairs == exchanges(kind, texts)
    for one, two in pairs:
        assert len(one) == len(two) == texts
        for left, right in zip(one, two, strict=True):
            different = {(a, b) for a, b in zip(left.split(), right.split(), strict=True) if a != b}
            assert len(different) == 1


def test_every_kind_says_good_and_bad_things() -> None:
    for templates, _ in KINDS.values():
        told = " ".join(templates)
        assert "wonderful" in told and "terrible" in told and all(text.count("{}") == 1 for text in templates)
