"""Attention's read in fewer steps than `Attention.read` takes. Own arrangement of the same products.

`ask` serves a few tokens without anyone's keys and values. `read_blocks` serves all tokens of texts that stand one
after the other, with keys that fill whole vectors: torch's fused attention takes 16 scores of a row at a time and the
rest one by one, so that 15 keys cost up to four times as much as 16.

B is the batch, T the tokens, n the tokens that ask, S the spare keys, W the width, H the heads, D = W / H.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from rosearch.student.operations import Attention

_VECTOR = 16  # scores that AVX-512 takes at once; AVX2's 8 divide it
_GAINS = 12  # spare keys up to which reading them costs less than it saves


def few(count: int, heads: int, width: int) -> bool:
    """True where `ask` for `count` tokens does less work than keys and values for all."""
    return 4 * heads * count <= width


def ask(query: Tensor, states: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, mask: Tensor | None) -> Tensor:
    """The values that n tokens read, (B, n, W), before attention's output map.

    A score q (K x + b) is (K'q) x + q b. The term q b is the same for all tokens and drops out of the softmax. The
    mean of V x + c, by weights that sum to 1, is V (mean of x) + c. So K and V act on n tokens in place of T.

    Args:
        query: (B, H, n, D).
        states: (B, T, W), from which keys and values would be made.
        key: the weight that makes keys, (W, W), without its bias.
        value: the weight that makes values, (W, W).
        bias: the bias of the values, (W,).
        mask: as in scaled_dot_product_attention, (B, 1, 1 or n, T).
    """
    batch, heads, count, features = query.shape
    width = states.shape[-1]
    asked = torch.einsum("bhnd,hdw->bhnw", query, key.view(heads, features, width))
    shared = states.unsqueeze(1).expand(-1, heads, -1, -1)
    mean = F.scaled_dot_product_attention(asked, shared, shared, attn_mask=mask, scale=features**-0.5)
    read = torch.einsum("bhnw,hdw->bnhd", mean, value.view(heads, features, width)).reshape(batch, count, width)
    return read if bias is None else read + bias


def by_head(x: Tensor, heads: int) -> Tensor:
    """(B, T, W) -> (B, heads, T, W / heads)."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def spare_keys(tokens: int) -> int:
    """The number of keys beyond its own tokens that a text should read."""
    missing = -tokens % _VECTOR
    return missing if missing <= _GAINS else 0


def read_blocks(attention: Attention, made: Tensor, batch: int, tokens: int) -> Tensor:
    """As `attention.read`, of queries, keys and values one text after the other: (B T + S, 3 W) -> (B, T, W).

    Each text reads on to the next multiple of 16, where the next text's keys and values stand; the mask leaves them
    out. Behind the last text must stand S = `spare_keys(T)` rows or more, of any finite numbers.
    """
    extra, width = spare_keys(tokens), made.shape[1] // 3
    if not extra:
        return attention.read(made[: batch * tokens].view(batch, tokens, -1), None)
    heads, features = attention.heads, width // attention.heads
    strides = (tokens * 3 * width, features, 3 * width, 1)
    begin = made.storage_offset()
    query = made.as_strided((batch, heads, tokens, features), strides, begin)
    key, value = (
        made.as_strided((batch, heads, tokens + extra, features), strides, begin + part * width) for part in (1, 2)
    )
    mask = made.new_zeros(batch, tokens + extra, dtype=torch.bool)
    mask[:, :tokens] = True
    heard = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
    return heard.transpose(1, 2).reshape(batch, tokens, width)
