from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from student.small_students import WIDTH
from torch import Tensor, nn

from rosearch.evaluation.attacks.passes import key_blocks as key_windows
from rosearch.evaluation.attacks.passes.forwards import replaced
from rosearch.evaluation.attacks.passes.key_blocks import spare, window_forwards
from rosearch.student.operations import Attention, Residual, build_operation


def node(heads: int = 4, conv: bool = False) -> Residual:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        made = build_operation("attention", {"heads": heads, "conv": conv}, WIDTH, 0.1, 1e-5)
    assert isinstance(made, Residual)
    return made.eval()


def texts(batch: int, tokens: int, padded: bool) -> tuple[Tensor, Tensor | None]:
    """Vectors (B, T, W), and which are real: the more texts there are before one, the shorter it is."""
    x = torch.randn(batch, tokens, WIDTH, generator=torch.Generator().manual_seed(batch * tokens))
    lengths = (tokens - torch.arange(batch)).clamp(min=1)
    return x, torch.arange(tokens) < lengths.unsqueeze(1) if padded else None


@settings(deadline=None, max_examples=150)
@given(heads=st.sampled_from([1, 4, 8]), batch=st.integers(1, 5), tokens=st.integers(1, 70), padded=st.booleans())
def test_a_node_of_attention_gives_the_same(heads: int, batch: int, tokens: int, padded: bool) -> None:
    residual, (x, keep) = node(heads), texts(batch, tokens, padded)
    given = x.clone()
    with torch.inference_mode():
        whole = residual(x, keep)
        with replaced(window_forwards(residual)):
            torch.testing.assert_close(residual(x, keep), whole, atol=1e-5, rtol=1e-5)
    assert torch.equal(x, given)


@pytest.mark.parametrize("tokens", [5, 7, 27, 30, 32])
def test_whatever_stands_behind_the_vectors_in_memory_is_not_heard(tokens: int) -> None:
    residual, (x, keep) = node(), texts(3, tokens, True)
    memory = torch.full((64 * 3, WIDTH), torch.nan)
    memory[: 3 * tokens] = x.flatten(0, 1)
    with torch.inference_mode():
        whole = residual(x, keep)
        with replaced(window_forwards(residual)):
            heard = residual(memory[: 3 * tokens].view(x.shape), keep)
    torch.testing.assert_close(heard, whole, atol=1e-5, rtol=1e-5)


def test_what_stands_behind_the_last_text_is_not_heard() -> None:
    attention = node().operation
    assert isinstance(attention, Attention)
    made = torch.randn(2 * 7 + spare(7), 3 * WIDTH)
    other = made.clone()
    other[2 * 7 :] = 1e4
    with torch.inference_mode():
        heard = key_windows.read(attention, made, 2, 7, None)
        assert torch.equal(key_windows.read(attention, other, 2, 7, None), heard)
        torch.testing.assert_close(heard, attention.read(made[:14].view(2, 7, -1), None), atol=1e-5, rtol=1e-5)


def test_keys_fill_vectors_of_16_unless_most_of_one_would_be_spare() -> None:
    for tokens in range(1, 130):
        extra = spare(tokens)
        assert 0 <= extra <= 12
        assert extra == 0 if tokens % 16 in (0, 1, 2, 3) else (tokens + extra) % 16 == 0


@pytest.mark.parametrize("conv", [False, True])
def test_attention_with_a_convolution_is_left_alone(conv: bool) -> None:
    assert bool(window_forwards(nn.Sequential(node(conv=conv)))) != conv


def test_a_node_that_is_watched_or_drops_out_is_left_alone() -> None:
    for part in ("norm", "operation"):
        residual = node()
        getattr(residual, part).register_forward_hook(lambda *_: None)
        assert not window_forwards(residual)
    assert not window_forwards(node().train())
