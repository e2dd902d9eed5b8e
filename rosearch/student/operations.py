"""The operations of the search space in torch. Each maps (B, T, W) to itself.

B is the batch, T the tokens, W the width. `keep` is a boolean (B, T), True at real tokens, or None without padding.
Operations that read other tokens zero or mask the pads first, so a sentence's output does not depend on the padding of
its batch. The value at a padded position is never read, but always finite.

This file travels with every exported student: it imports only the files beside it that travel too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .leading_tokens import leading
from .local_operations import (
    AveragePool,
    Convolution,
    LightConvolution,
    MaxPool,
    SeparableConvolution,
    convolve,
    mute_pads,
)


def attend(query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None) -> Tensor:
    """Scaled dot-product attention to the real tokens: query, key, value (B, heads, T, D) -> (B, heads, T, D)."""
    mask = None if keep is None else keep[:, None, None, :]
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


class Attention(nn.Module):
    """Multi-head attention (Vaswani 2017, arXiv 1706.03762).

    With `conv`, a depthwise convolution over 3 tokens follows each of queries, keys and values (Primer: So 2021, arXiv
    2109.08668). Raises `ValueError` if the heads do not divide the width.
    """

    def __init__(self, width: int, heads: int, conv: bool = False) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"attention: heads must divide the width {width}, got {heads}")
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)  # queries, keys and values in one product
        self.mix = nn.Conv1d(3 * width, 3 * width, 3, groups=3 * width) if conv else None
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, keep: Tensor | None, gives: int | None = None) -> Tensor:
        """(B, T, W) -> (B, T, W); with `gives` for that many first tokens alone."""
        made = self.mixed(self.project(x), keep)
        y: Tensor = self.out(self.read(made, keep, gives))
        return y

    def read(self, made: Tensor, keep: Tensor | None, gives: int | None = None) -> Tensor:
        """Attention over queries, keys and values, side by side: (B, T, 3 W) -> (B, T, W), before the output map."""
        query, key, value = made.chunk(3, dim=-1)
        if gives is not None:
            query = leading(query, gives)
        query, key, value = (one.reshape(*one.shape[:2], self.heads, -1).transpose(1, 2) for one in (query, key, value))
        return attend(query, key, value, keep).transpose(1, 2).flatten(2)

    def mixed(self, made: Tensor, keep: Tensor | None) -> Tensor:
        """Queries, keys and values after their convolution, if there is one: (B, T, 3 W) -> (B, T, 3 W)."""
        if self.mix is None:
            return made
        return convolve(mute_pads(made, keep), self.mix.weight, self.mix.bias, groups=self.mix.groups)


def squared_relu(x: Tensor) -> Tensor:
    """relu(x)^2 (Primer: So 2021, arXiv 2109.08668)."""
    return F.relu(x).square()


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
    "relu2": squared_relu,
}


class FeedForward(nn.Module):
    """Two linear maps around an activation; the inner width is round(ratio x W)."""

    reach = 0  # tokens to either side that it looks at

    def __init__(self, width: int, ratio: float, activation: str) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"ffn: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        inner = round(ratio * width)
        self.activation = activation
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        y: Tensor = self.down(ACTIVATIONS[self.activation](self.up(x)))
        return y


class GatedLinearUnit(nn.Module):
    """A gated linear unit (Dauphin 2017, arXiv 1612.08083), then a linear map."""

    reach = 0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        y: Tensor = self.out(F.glu(self.up(x), dim=-1))
        return y


OPERATIONS: dict[str, Callable[..., nn.Module]] = {
    "attention": Attention,
    "ffn": FeedForward,
    "conv": Convolution,
    "separable_conv": SeparableConvolution,
    "dilated_conv": partial(SeparableConvolution, dilation=2),
    "glu": GatedLinearUnit,
    "light_conv": LightConvolution,
    "max_pool": MaxPool,
    "avg_pool": AveragePool,
}


class Residual(nn.Module):
    """y = x + dropout(f(LN(x))); the frame of every operation but identity."""

    def __init__(self, operation: nn.Module, width: int, dropout: float, eps: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=eps)
        self.operation = operation
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, keep: Tensor | None, gives: int | None = None) -> Tensor:
        """(B, T, W) -> (B, T, W); with `gives` that many first tokens alone, of an operation that knows them."""
        made = self.operation(self.norm(x), keep, *([] if gives is None else [gives]))
        y: Tensor = (x if gives is None else leading(x, gives)) + self.dropout(made)
        return y


class Identity(nn.Module):
    """y = x, without parameters."""

    reach = 0

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        return x


def build_operation(op: str, settings: Mapping[str, Any], width: int, dropout: float, eps: float) -> nn.Module:
    """The module of one node, called as module(x, keep). Raises `ValueError` for unknown operations or settings."""
    if op == "identity":
        return Identity()
    if op not in OPERATIONS:
        raise ValueError(f"unknown operation {op!r}: known are {', '.join([*OPERATIONS, 'identity'])}")
    try:
        operation = OPERATIONS[op](width, **settings)
    except TypeError as error:
        raise ValueError(f"{op} cannot be built with {dict(settings)}: {error}") from None
    return Residual(operation, width, dropout, eps)


class Mean(nn.Module):
    """The mean of the inputs: a sum at the scale of one input."""

    def __init__(self, width: int, inputs: int) -> None:
        super().__init__()

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """k tensors (B, T, W) -> (B, T, W)."""
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total / len(inputs) if len(inputs) > 1 else total


class Gate(nn.Module):
    """A learned weighted mean of the inputs, with separate weights for each feature; it starts as the plain mean."""

    def __init__(self, width: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, width))

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """k tensors (B, T, W) -> (B, T, W)."""
        weights = self.weight.softmax(0)  # (k, W)
        total = inputs[0] * weights[0]
        for x, weight in zip(inputs[1:], weights[1:]):
            total = torch.addcmul(total, x, weight)
        return total


class Concat(nn.Module):
    """The inputs side by side, projected back to the width."""

    def __init__(self, width: int, inputs: int) -> None:
        super().__init__()
        self.project = nn.Linear(inputs * width, width)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """k tensors (B, T, W) -> (B, T, W)."""
        y: Tensor = self.project(torch.cat(tuple(inputs), dim=-1))
        return y


MERGES: dict[str, Callable[[int, int], nn.Module]] = {"add": Mean, "gate": Gate, "concat": Concat}
