"""The weights of one operation, or of one merge, as a student of another width or with other settings takes them over.

`taken(mine, theirs, width)` gives them by name. Kernels of another length are cut, or filled up, around their middle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rosearch.student.channels import Channels, energy, grouped, in_heads, picked
from rosearch.student.local_operations import LIGHT_HEADS, Convolution, LightConvolution, SeparableConvolution
from rosearch.student.operations import Attention, FeedForward, GatedLinearUnit

Weights = dict[str, Tensor]

# An argument of a softmax whose others are about 0: a fiftieth of theirs, yet not beyond learning.
ALMOST_NOTHING = -4.0


def taken(mine: nn.Module, theirs: nn.Module, width: Channels) -> Weights:
    """The parameters of operation `mine`, from those of one of the same class; `width` are the channels of a token."""
    take = _TAKEN.get(type(mine))
    return {} if take is None else take(mine, theirs, width)


def mapped(name: str, theirs: nn.Linear | nn.Conv1d, writes: Channels, reads: Channels) -> Weights:
    """Weight and bias of a map from the channels that it reads to those that it writes."""
    assert theirs.bias is not None
    return {f"{name}.weight": reads.columns(writes.rows(theirs.weight)), f"{name}.bias": writes.rows(theirs.bias)}


def _attention(mine: Attention, theirs: Attention, width: Channels) -> Weights:
    many, size = (len(one.project.weight) // 3 for one in (theirs, mine))  # a teacher's are not as many as a token's
    query, key, value = theirs.project.weight.reshape(3, many, -1)
    importance = energy([value], [theirs.out.weight]) + energy([query]) * energy([key])
    inner, products = in_heads(importance, theirs.heads, mine.heads, size)
    # The scale of torch's products follows from the size of a head.
    scale = torch.ones(3 * size)
    scale[:size] = products * ((size / mine.heads) / (many / theirs.heads)) ** 0.5
    three = inner.repeated(3, many)
    found = mapped("project", theirs.project, three, width) | mapped("out", theirs.out, width, inner)
    found["project.weight"] = found["project.weight"] * scale.unsqueeze(1)
    found["project.bias"] = found["project.bias"] * scale
    if mine.mix is not None:
        found["mix.weight"], found["mix.bias"] = torch.zeros(mine.mix.weight.shape), torch.zeros(3 * size)
        found["mix.weight"][..., found["mix.weight"].shape[-1] // 2] = 1.0  # at first it changes nothing
        if theirs.mix is not None:
            assert theirs.mix.bias is not None
            found["mix.weight"], found["mix.bias"] = three.rows(theirs.mix.weight), three.rows(theirs.mix.bias) * scale
    return found


def _feed_forward(mine: FeedForward, theirs: FeedForward, width: Channels) -> Weights:
    inner = picked(energy([theirs.up.weight], [theirs.down.weight]), len(mine.up.bias))
    return mapped("up", theirs.up, inner, width) | mapped("down", theirs.down, width, inner)


def _gated(mine: GatedLinearUnit, theirs: GatedLinearUnit, width: Channels) -> Weights:
    values, gates = theirs.up.weight.chunk(2)
    inner = picked(energy([values, gates], [theirs.out.weight]), len(mine.out.bias))
    return mapped("up", theirs.up, inner.repeated(2, len(values)), width) | mapped("out", theirs.out, width, inner)


def _convolution(mine: Convolution, theirs: Convolution, width: Channels) -> Weights:
    inner = picked(energy([theirs.conv.weight], [theirs.out.weight]), len(mine.out.bias))
    found = mapped("conv", theirs.conv, inner, width) | mapped("out", theirs.out, width, inner)
    return found | {"conv.weight": _of_length(found["conv.weight"], mine.kernel, 0.0)}


def _separable(mine: SeparableConvolution, theirs: SeparableConvolution, width: Channels) -> Weights:
    inner = picked(energy([theirs.pointwise.weight], [theirs.out.weight]), len(mine.out.bias))
    assert theirs.depthwise.bias is not None
    return {
        "depthwise.weight": _of_length(width.rows(theirs.depthwise.weight), mine.kernel, 0.0),
        "depthwise.bias": width.rows(theirs.depthwise.bias),
        **mapped("pointwise", theirs.pointwise, inner, width),
        **mapped("out", theirs.out, width, inner),
    }


def _light(mine: LightConvolution, theirs: LightConvolution, width: Channels) -> Weights:
    values, gates = theirs.up.weight.chunk(2)
    importance = energy([values, gates], [theirs.out.weight])
    inner = grouped(importance, LIGHT_HEADS, len(mine.out.bias))  # a head's channels share its kernel
    return {
        "taps": _of_length(theirs.taps, mine.kernel, ALMOST_NOTHING),
        **mapped("up", theirs.up, inner.repeated(2, len(values)), width),
        **mapped("out", theirs.out, width, inner),
    }


def _of_length(kernels: Tensor, length: int, filling: float) -> Tensor:
    """Kernels (..., k), both lengths odd, cut around their middle or filled up on both sides."""
    spare = (length - kernels.shape[-1]) // 2
    return F.pad(kernels, (spare, spare), value=filling)  # a negative size cuts


_TAKEN: dict[type[nn.Module], Callable[[Any, Any, Channels], Weights]] = {
    Attention: _attention,
    FeedForward: _feed_forward,
    GatedLinearUnit: _gated,
    Convolution: _convolution,
    SeparableConvolution: _separable,
    LightConvolution: _light,
}
