"""Attention of a few tokens to all, without making anyone's keys and values. Own arrangement of the same products.

B is the batch, T the tokens, n those that ask, W the width, H the heads, D = W / H.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def few(count: int, heads: int, width: int) -> bool:
    """Whether `count` tokens that ask are so few that `ask` does less work than keys and values for all."""
    return 4 * heads * count <= width


def ask(query: Tensor, states: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, mask: Tensor | None) -> Tensor:
    """What attention reads, (B, n, W), before its output map.

    A score q (K x + b) is (K'q) x + q b, and q b, the same for all tokens, drops out of the softmax. What is read,
    the mean of V x + c by weights that sum to 1, is V (mean of x) + c. So K and V act on n tokens in place of T.

    Args:
        query: (B, H, n, D).
        states: (B, T, W), what keys and values are made of.
        key: the weight that makes keys, (W, W), without its bias.
        value: the weight that makes values, (W, W).
        bias: that of the values, (W,).
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
