"""Attention of a student on a CPU whose keys fill whole vectors.

Torch's fused attention works a row of scores off 16 at a time, and what is left of it one by one: 15 keys take it up to
four times as long as 16. So each text reads keys and values up to the next multiple of 16, beyond its end, where the
next text's stand, and the mask leaves those out; only behind the last text must the memory go on. B
is the batch, T the tokens, S the spare ones (`spare`), W the width. Own code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rosearch.evaluation.attacks.passes.forwards import watched
from rosearch.evaluation.attacks.passes.spare_rows import roomy
from rosearch.student.operations import Attention, Residual

_VECTOR = 16  # scores that are worked off at once with AVX-512; AVX2's 8 divide it
_GAINS = 12  # spare keys that cost less than they save


def window_forwards(model: nn.Module) -> dict[nn.Module, Callable[..., Any]]:
    """What stands in for `forward` of a student's nodes of attention, norm and residual connection included."""
    forwards: dict[nn.Module, Callable[..., Any]] = {}
    for module in model.modules():
        if type(module) is Residual and not any(map(watched, module.modules())):
            attention = module.operation
            if type(attention) is Attention and attention.mix is None:
                forwards[module] = _node(module, attention)
    return forwards


def spare(tokens: int) -> int:
    """How many keys beyond its own tokens a text should read."""
    missing = -tokens % _VECTOR
    return missing if missing <= _GAINS else 0


def read(attention: Attention, made: Tensor, batch: int, tokens: int, keep: Tensor | None) -> Tensor:
    """As `attention.read`, of queries, keys and values one text after the other: (B T + S, 3 W) -> (B, T, W).

    What stands behind the last text, S = `spare(T)` rows or more, is any finite numbers.
    """
    extra, width = spare(tokens), made.shape[1] // 3
    if not extra:
        return attention.read(made[: batch * tokens].view(batch, tokens, -1), keep)
    heads, features = attention.heads, width // attention.heads
    strides = (tokens * 3 * width, features, 3 * width, 1)
    begin = made.storage_offset()
    query = made.as_strided((batch, heads, tokens, features), strides, begin)
    key, value = (
        made.as_strided((batch, heads, tokens + extra, features), strides, begin + part * width) for part in (1, 2)
    )
    mask = made.new_zeros(batch, tokens + extra, dtype=torch.bool)
    mask[:, :tokens] = True if keep is None else keep
    heard = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
    return heard.transpose(1, 2).reshape(batch, tokens, width)


def _node(residual: Residual, attention: Attention) -> Callable[..., Tensor]:
    """It gives new memory, as `residual` does."""

    def forward(x: Tensor, keep: Tensor | None) -> Tensor:
        batch, tokens, _ = x.shape
        made = attention.project(residual.norm(roomy(x, spare(tokens))))
        made[batch * tokens :] = 0.0  # the last text reads on to there, and spare rows may hold anything
        y: Tensor = attention.out(read(attention, made, batch, tokens, keep))
        return y.add_(x)

    return forward
