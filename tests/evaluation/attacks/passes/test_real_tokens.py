from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rosearch.evaluation.attacks.passes import real_tokens
from rosearch.evaluation.attacks.passes.real_tokens import Same, joined, laid_out, same_within_reach

Texts = list[list[int]]


def batch(texts: Texts, width: int = 0) -> tuple[Tensor, Tensor]:
    """Ids (B, T), padded with 0 on the right, and their mask."""
    width = width or max(map(len, texts))
    ids = torch.tensor([text + [0] * (width - len(text)) for text in texts])
    return ids, (torch.arange(width) < torch.tensor([len(text) for text in texts])[:, None]).long()


# Few ids and short texts, so that much is the same.
TEXTS = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=7), min_size=1, max_size=5)


def flat(texts: Texts) -> list[tuple[int, int]]:
    """Text and position of each real token."""
    return [(row, place) for row, text in enumerate(texts) for place in range(len(text))]


@given(TEXTS, st.integers(0, 2))
def test_a_layout_holds_the_real_tokens_text_by_text(texts: Texts, wider: int) -> None:
    ids, mask = batch(texts, max(map(len, texts)) + wider)
    found = laid_out(ids, mask, ids)
    assert found is not None and found.types is not None
    where = flat(texts)
    of = torch.from_numpy(found.source.of)
    assert found.ids[0][of].tolist() == found.types[0][of].tolist() == [texts[row][place] for row, place in where]
    assert found.positions[0][of].tolist() == found.before.tolist() == [place for _, place in where]
    assert found.behind.tolist() == [len(texts[row]) - 1 - place for row, place in where]
    assert [where[token] for token in found.real[mask.bool()].tolist()] == where
    assert (found.keep is None) == bool(mask.all())
    assert [start for start, *_ in found.groups] + [len(where)] == [
        0, *(start + texts * tokens for start, texts, tokens in found.groups)
    ]  # fmt: skip
    lengths = [tokens for _, several, tokens in found.groups for _ in range(several)]
    assert lengths == list(map(len, texts))
    assert all(one[2] != other[2] for one, other in pairwise(found.groups))


@given(TEXTS)
def test_a_class_at_the_source_is_an_id_at_a_position(texts: Texts) -> None:
    found = laid_out(*batch(texts), None)
    assert found is not None
    assert_classes(found.source, [(texts[row][place], place) for row, place in flat(texts)], found.source)


@given(TEXTS, st.sampled_from([(1, 1), (2, 1), (2, 2), (6, 2)]))
def test_tokens_are_of_one_class_where_the_same_tokens_stand_within_reach(texts: Texts, size: tuple[int, int]) -> None:
    reach, dilation = size
    found = laid_out(*batch(texts), None)
    assert found is not None
    seen = same_within_reach(found, found.source, reach, dilation)

    def held(row: int, place: int) -> tuple[object, ...]:
        places = range(place - reach, place + reach + 1, dilation)
        text = texts[row]
        return tuple((text[other], other) if 0 <= other < len(text) else None for other in places)

    assert_classes(seen, [held(row, place) for row, place in flat(texts)])


def assert_classes(same: Same | None, keys: list[object], at_source: Same | None = None) -> None:
    """The classes must be those of `keys`; if they are nearly as many as tokens, there are some at the source only."""
    if same is None:
        assert len(set(keys)) >= 0.9 * len(keys)
        return
    assert len(set(keys)) < 0.9 * len(keys) or same is at_source
    assert len({(int(number), key) for number, key in zip(same.of, keys, strict=True)}) == len(set(keys))
    assert sorted(set(same.of)) == list(range(len(set(keys))))
    assert same.of[same.first].tolist() == list(range(len(same.first)))


def test_tokens_are_the_same_where_they_are_in_all_that_is_joined() -> None:
    one, other = Same(np.array([0, 0, 1, 1] * 9), np.array([0, 2])), Same(np.array([0, 1, 1, 0] * 9), np.array([0, 1]))
    assert joined([one, one]) is one
    both = joined([one, other])
    assert both is not None and both.of.tolist() == [0, 1, 3, 2] * 9
    assert joined([one, None]) is None
    assert same_within_reach(laid_out(*batch([[1]]), None), None, 1, 1) is None  # type: ignore[arg-type]


def test_more_columns_than_a_number_can_tell_apart_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 8]] * 9
    found = laid_out(*batch(texts), None)
    assert found is not None
    whole = same_within_reach(found, found.source, 6, 1)
    monkeypatch.setattr(real_tokens, "_KEYS", 200)
    again = same_within_reach(found, found.source, 6, 1)
    assert whole is not None and again is not None
    assert len(set(zip(whole.of, again.of, strict=True))) == len(whole.first) == len(again.first)


@pytest.mark.parametrize("mask", [[[0, 1, 1]], [[1, 0, 1]], [[0, 0, 0]]])
def test_there_is_no_layout_of_texts_that_do_not_begin_in_the_first_column(mask: list[list[int]]) -> None:
    assert laid_out(torch.ones(1, 3, dtype=torch.long), torch.tensor(mask), None) is None
