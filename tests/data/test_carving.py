from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosearch.data.carving import carve, sample
from rosearch.data.tasks import Split


def split(texts: list[str], labels: list[int]) -> Split:
    return Split(tuple((text,) for text in texts), np.array(labels, dtype=np.int64))


def numbered(labels: list[int]) -> Split:
    return split([f"text {row}" for row in range(len(labels))], labels)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.lists(st.integers(0, 3), min_size=4, max_size=60), st.data(), st.integers(0, 99))
def test_carving_parts_the_rows_and_keeps_their_order_and_proportions(
    labels: list[int], data: st.DataObject, seed: int
) -> None:
    whole = numbered(labels)
    rows = data.draw(st.integers(1, len(labels) // 2))
    train, validation = carve(whole, rows, rng(seed))
    assert len(validation) == rows
    assert sorted(train.texts + validation.texts) == sorted(whole.texts)
    label_of = dict(zip(whole.texts, whole.labels.tolist(), strict=True))
    position = {text: row for row, text in enumerate(whole.texts)}
    for part in (train, validation):
        assert [label_of[text] for text in part.texts] == part.labels.tolist()
        assert list(part.texts) == sorted(part.texts, key=position.__getitem__)
    taken, all_of = Counter(validation.labels.tolist()), Counter(labels)
    assert all(abs(taken[label] - rows * count / len(labels)) < 1 for label, count in all_of.items())


def test_carving_depends_on_the_generator_alone() -> None:
    whole = numbered([0, 1] * 50)
    first, second, other = (carve(whole, 20, rng(seed))[1].texts for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_a_text_that_occurs_twice_is_never_validation() -> None:
    whole = split(["same"] * 10 + [f"text {row}" for row in range(10)], [0] * 20)
    train, validation = carve(whole, 10, rng())
    assert ("same",) not in validation.texts
    assert train.texts == (("same",),) * 10


def test_carving_more_than_there_is_says_how_much_there_is() -> None:
    with pytest.raises(ValueError, match="at most 5 "):
        carve(numbered([0] * 10), 6, rng())
    with pytest.raises(ValueError, match="at most 2 "):
        carve(split(["same"] * 8 + ["a", "b"], [0] * 10), 3, rng())


def test_phrases_of_a_carved_sentence_leave_training() -> None:
    sentences = ["a fine and gentle film", "the plot is a mess", "no wit at all here", "it drags on and on"]
    phrases = [
        "fine and gentle",
        "a fine and gentle",
        "gentle film",
        "film",
        "the plot is",
        "at all here",
        "and on",
        "on",
    ]
    whole = split([*phrases, *sentences], [0] * 12)
    for seed in range(6):
        train, validation = carve(whole, 2, rng(seed), phrases=True)
        held = [text for (text,) in validation.texts]
        assert set(held) < set(sentences)
        kept = {text for (text,) in train.texts}
        assert {"gentle film", "film", "and on", "on"} < kept
        expected = {text for text in phrases if len(text.split()) > 2 and not any(text in one for one in held)}
        assert {text for text in kept if text in phrases and len(text.split()) > 2} == expected
        assert kept.isdisjoint(held) and set(sentences) - set(held) < kept


def test_scores_are_carved_without_classes() -> None:
    whole = Split(tuple((str(row),) for row in range(30)), np.linspace(0, 5, 30, dtype=np.float32))
    train, validation = carve(whole, 10, rng())
    assert (len(train), len(validation)) == (20, 10)
    assert sorted(np.concatenate([train.labels, validation.labels])) == sorted(whole.labels)


def test_a_sample_is_stratified_and_stays_in_order() -> None:
    whole = numbered([0] * 60 + [1] * 30 + [2] * 10)
    part = sample(whole, 20, rng())
    assert np.bincount(part.labels).tolist() == [12, 6, 2]
    assert part.labels.tolist() == sorted(part.labels.tolist())
    assert sample(whole, 100, rng()).texts == whole.texts
    with pytest.raises(ValueError, match="at most 100"):
        sample(whole, 101, rng())
