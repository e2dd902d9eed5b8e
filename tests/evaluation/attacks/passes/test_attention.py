from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from student.small_students import WIDTH
from torch.nn import functional as F

from rosearch.evaluation.attacks.passes.attention import ask, by_head, few, read_blocks, spare_keys
from rosearch.student.operations import Attention, attend


def attention(heads: int = 4) -> Attention:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Attention(WIDTH, heads).eval()


@settings(max_examples=150)
@given(heads=st.sampled_from([1, 4, 8]), batch=st.integers(1, 5), tokens=st.integers(1, 70))
def test_texts_in_a_row_are_read_as_texts_of_a_batch(heads: int, batch: int, tokens: int) -> None:
    made = torch.randn(batch * tokens + spare_keys(tokens), 3 * WIDTH, generator=torch.Generator().manual_seed(tokens))
    whole = attention(heads).read(made[: batch * tokens].view(batch, tokens, -1), None)
    torch.testing.assert_close(read_blocks(attention(heads), made, batch, tokens), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tokens", [5, 7, 27, 30])
def test_numbers_behind_the_last_text_are_not_read(tokens: int) -> None:
    made = torch.randn(2 * tokens + spare_keys(tokens), 3 * WIDTH)
    other = made.clone()
    other[2 * tokens :] = 1e4
    assert spare_keys(tokens)
    assert torch.equal(read_blocks(attention(), made, 2, tokens), read_blocks(attention(), other, 2, tokens))


def test_keys_fill_vectors_of_16_unless_most_of_one_would_be_spare() -> None:
    for tokens in range(1, 130):
        extra = spare_keys(tokens)
        assert 0 <= extra <= 12
        assert extra == 0 if tokens % 16 in (0, 1, 2, 3) else (tokens + extra) % 16 == 0


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("biased", [True, False])
def test_a_few_tokens_read_what_they_would_with_keys_and_values_for_all(count: int, biased: bool) -> None:
    whole, states = attention(), torch.randn(3, 9, WIDTH)
    keep = torch.arange(9) < torch.tensor([9, 4, 6])[:, None]
    weights, biases = whole.project.weight.chunk(3), whole.project.bias.chunk(3)
    query, key = (by_head(F.linear(states, weights[part], biases[part]), 4) for part in (0, 1))
    value = by_head(F.linear(states, weights[2], biases[2] if biased else None), 4)
    read = attend(query[:, :, :count], key, value, keep).transpose(1, 2).flatten(2)
    bias = biases[2] if biased else None
    asked = ask(query[:, :, :count], states, weights[1], weights[2], bias, keep[:, None, None])
    torch.testing.assert_close(asked, read, atol=1e-5, rtol=1e-5)


def test_tokens_are_few_while_a_quarter_of_the_width_has_room_for_their_heads() -> None:
    assert few(1, 4, 256) and few(16, 4, 256) and not few(17, 4, 256) and not few(1, 12, 32)
