"""Local operations: convolutions and pools over adjacent tokens. Each maps (B, T, W) to itself.

B is the batch, T the tokens, W the width. `operations` explains `keep` and the treatment of padding.

This file travels with every exported student: it imports nothing of rosearch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LIGHT_HEADS = 8


def zero_pads(x: Tensor, keep: Tensor | None) -> Tensor:
    """x (B, T, W) with zeros at the padded tokens; `keep` is (B, T), True at real tokens, or None without padding."""
    return x if keep is None else x.masked_fill(~keep.unsqueeze(-1), 0.0)


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int = 1, groups: int = 1) -> Tensor:
    """Convolution along the tokens, (B, T, W) -> (B, T, W), with a weight (W, W / groups, kernel); the kernel is odd.

    It runs as conv2d over the view (B, W, 1, T). Memory in the order tokens, features is channels-last for that view,
    so nothing is transposed; on CPU a depthwise kernel is 2 to 20 times faster than by conv1d.
    """
    reach = dilation * (weight.shape[-1] - 1) // 2

    def along_tokens(x: Tensor) -> Tensor:
        image = x.transpose(1, 2).unsqueeze(2)
        y = F.conv2d(image, weight.unsqueeze(2), bias, padding=(0, reach), dilation=(1, dilation), groups=groups)
        return y.squeeze(2).transpose(1, 2)

    if groups > 1 and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        # A depthwise kernel mostly moves memory, and on CPU float32 is faster than bfloat16.
        with torch.autocast("cpu", enabled=False):
            return along_tokens(x.to(weight.dtype))
    return along_tokens(x)


class LocalOperation(nn.Module, ABC):
    """An operation in three steps: on each token alone, along the tokens, on each token alone again.

    A token's output depends on the tokens up to `reach` to either side, every `dilation`-th of them. Raises
    `ValueError` unless the kernel is odd.
    """

    zeros_pad = True  # `along` gives the same for zeros at the pads as for `keep`

    def __init__(self, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"a kernel must be odd, so that it reaches equally far to both sides, got {kernel}")
        self.kernel, self.dilation, self.reach = kernel, dilation, dilation * (kernel // 2)

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        return self.after(self.along(self.before(x), keep))

    def before(self, x: Tensor) -> Tensor:
        """The first step, on each token alone: (..., W) -> (..., W)."""
        return x

    @abstractmethod
    def along(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """The step along the tokens: (B, T, W) -> (B, T, W)."""

    def after(self, x: Tensor) -> Tensor:
        """The last step, on each token alone: (..., W) -> (..., W); it may return `x` itself."""
        return x


class Convolution(LocalOperation):
    """A full convolution along the tokens, gelu, and a linear map."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__(kernel)
        self.conv = nn.Conv1d(width, width, kernel)
        self.out = nn.Linear(width, width)

    def along(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        return convolve(zero_pads(x, keep), self.conv.weight, self.conv.bias)

    def after(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., W)."""
        y: Tensor = self.out(F.gelu(x))
        return y


class SeparableConvolution(LocalOperation):
    """A depthwise convolution along the tokens, a linear map over the features, gelu, and a linear map."""

    def __init__(self, width: int, kernel: int, dilation: int = 1) -> None:
        super().__init__(kernel, dilation)
        self.depthwise = nn.Conv1d(width, width, kernel, dilation=dilation, groups=width)
        self.pointwise = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def along(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        conv = self.depthwise
        return convolve(zero_pads(x, keep), conv.weight, conv.bias, self.dilation, conv.groups)

    def after(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., W)."""
        y: Tensor = self.out(F.gelu(self.pointwise(x)))
        return y


class LightConvolution(LocalOperation):
    """Lightweight convolution (Wu 2019, arXiv 1901.10430), between a gated linear unit and a linear map.

    There are eight kernels, each softmaxed over its taps and shared by an eighth of the features.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__(kernel)
        if width % LIGHT_HEADS:
            raise ValueError(f"light_conv: the width must be a multiple of {LIGHT_HEADS}, got {width}")
        self.up = nn.Linear(width, 2 * width)
        self.taps = nn.Parameter(torch.empty(LIGHT_HEADS, kernel))
        self.out = nn.Linear(width, width)

    def before(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., W)."""
        return F.glu(self.up(x), dim=-1)

    def along(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        width = x.shape[-1]
        weight = self.taps.softmax(-1).repeat_interleave(width // LIGHT_HEADS, dim=0)  # (W, kernel)
        return convolve(zero_pads(x, keep), weight.unsqueeze(1), None, groups=width)

    def after(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., W)."""
        y: Tensor = self.out(x)
        return y


class MaxPool(LocalOperation):
    """The largest value of each feature over the real tokens within reach."""

    zeros_pad = False

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__(kernel)

    def along(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        if keep is not None:
            x = x.masked_fill(~keep.unsqueeze(-1), float("-inf"))
        image = x.transpose(1, 2).unsqueeze(2)  # channels-last, as in `convolve`
        y = F.max_pool2d(image, (1, self.kernel), stride=1, padding=(0, self.reach))
        return zero_pads(y.squeeze(2).transpose(1, 2), keep)  # a pad among pads holds -inf


class AveragePool(LocalOperation):
    """The mean of each feature over the real tokens within reach."""

    zeros_pad = False

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__(kernel)

    def along(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        real = x.new_ones(1, x.shape[1], 1) if keep is None else keep.unsqueeze(-1).to(x.dtype)
        # Both means are divided by the kernel, which cancels; pads without a real token in reach give 0 / (1 / kernel).
        return self._average(zero_pads(x, keep)) / self._average(real).clamp(min=1 / self.kernel)

    def _average(self, x: Tensor) -> Tensor:
        image = x.transpose(1, 2).unsqueeze(2)  # channels-last, as in `convolve`
        y = F.avg_pool2d(image, (1, self.kernel), stride=1, padding=(0, self.reach))
        return y.squeeze(2).transpose(1, 2)
