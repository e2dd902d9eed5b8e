"""Local operations: convolutions and pools over adjacent tokens. Each maps (B, T, W) to itself.

B is the batch, T the tokens, W the width. `operations` explains `keep` and the treatment of padding.

This file travels with every exported student: it imports only the files beside it that travel too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .leading_tokens import is_recorded

LIGHT_HEADS = 8


def real_tokens(mask: Tensor | None) -> Tensor | None:
    """A mask (B, T), 0 at padding, as `keep`: None without padding, which spares every operation its mask.

    Whether there is padding is asked on a CPU alone. Elsewhere the answer would stop a GPU, or stand in a graph.
    """
    if mask is None:
        return None
    keep = mask.bool()
    asked = keep.device.type == "cpu" and not is_recorded()
    return None if asked and bool(keep.all()) else keep


def zero_pads(x: Tensor, keep: Tensor | None) -> Tensor:
    """x (B, T, W) with zeros at the padded tokens; `keep` is (B, T), True at real tokens, or None without padding."""
    return x if keep is None else x.masked_fill(~keep.unsqueeze(-1), 0.0)


def mute_pads(x: Tensor, keep: Tensor | None) -> Tensor:
    """`zero_pads` of a student's states, which are finite: a product takes a sixth of the time, there and back.

    In training in float32 alone: float16 has no room for all finite states.
    """
    if keep is None or not x.requires_grad or x.dtype != torch.float32:
        return zero_pads(x, keep)
    return x * keep.unsqueeze(-1).float()


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int = 1, groups: int = 1) -> Tensor:
    """Convolution along the tokens, (B, T, W) -> (B, T, W), with a weight (W, W / groups, kernel); the kernel is odd.

    It runs as conv2d over the view (B, W, 1, T). Memory in the order tokens, features is channels-last for that view,
    so nothing is transposed; on CPU a depthwise kernel is 2 to 20 times faster than by conv1d. Where weights are
    trained in float32 on a CPU, gradients come from `_QuickBack`.
    """
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and groups > 1:
        # A depthwise kernel mostly moves memory, and on CPU float32 is faster than bfloat16.
        with torch.autocast("cpu", enabled=False):
            return convolve(x.to(weight.dtype), weight, bias, dilation, groups)
    if _slow_back(x, weight, dilation, groups):
        y: Tensor = _QuickBack.apply(x, weight, bias, dilation, groups)  # type: ignore[no-untyped-call]
        return y
    return _along_tokens(x, weight, bias, dilation, groups)


def _along_tokens(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int, groups: int) -> Tensor:
    reach = dilation * (weight.shape[-1] // 2)
    if dilation > 1 and reach > 4 and x.device.type == "cpu" and torch.backends.cpu.get_cpu_capability() != "AVX512":
        # Without AVX-512 oneDNN has no fast kernel that reaches so far with gaps: this takes a thirtieth of the time.
        image = F.conv2d(_phases(x, dilation), weight.unsqueeze(3), bias, padding=(reach // dilation, 0), groups=groups)
        return _from_phases(image, x.shape[1])
    y = F.conv2d(_image(x), weight.unsqueeze(2), bias, padding=(0, reach), dilation=(1, dilation), groups=groups)
    return _from_image(y)


def _image(x: Tensor) -> Tensor:
    """The view (B, W, 1, T) of x (B, T, W). One permutation of four axes is what ONNX Runtime folds into a kernel."""
    return x.unsqueeze(1).permute(0, 3, 1, 2)


def _from_image(image: Tensor) -> Tensor:
    """(B, W, 1, T) -> (B, T, W)."""
    return image.permute(0, 2, 3, 1).squeeze(1)


def _phases(x: Tensor, dilation: int) -> Tensor:
    """Every `dilation`-th token side by side, (B, T, W) -> (B, W, T / dilation, dilation): a kernel without gaps."""
    padded = F.pad(x, (0, 0, 0, -x.shape[1] % dilation))
    return padded.reshape(len(x), -1, dilation, x.shape[2]).permute(0, 3, 1, 2)


def _from_phases(image: Tensor, tokens: int) -> Tensor:
    """(B, W, T / dilation, dilation) -> (B, T, W)."""
    return image.permute(0, 2, 3, 1).reshape(len(image), -1, image.shape[1])[:, :tokens]


def _slow_back(x: Tensor, weight: Tensor, dilation: int, groups: int) -> bool:
    """True where oneDNN takes longer for the gradients than `_QuickBack`: not for short depthwise kernels."""
    trained = torch.is_grad_enabled() and weight.requires_grad and x.dtype == weight.dtype == torch.float32
    if not trained or x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return False
    return groups == 1 or (groups == x.shape[2] and (dilation > 1 or weight.shape[2] > 3))


class _QuickBack(torch.autograd.Function):
    """The same convolution with other sums in its gradients, which differ in rounding alone.

    oneDNN takes 1.5 to 4 times as long as one product for the weight's gradient of a full convolution, 2 to 9 times as
    long as a sum for each tap for that of a depthwise one, and up to 4 times as long for the input's with gaps
    (measured: torch 2.13, AVX2 and AVX-512, 64 x 10 to 19 tokens, 128 to 512 features).
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int, groups: int) -> Tensor:
        return _along_tokens(x, weight, bias, dilation, groups)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, _, *ctx.settings = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), (dilation, groups), grad = ctx.saved_tensors, ctx.settings, gradients[0]
        to_input, to_weight, to_bias = ctx.needs_input_grad[:3]
        return (
            _input_gradient(x, weight, grad, dilation, groups) if to_input else None,
            _weight_gradient(x, grad, weight.shape[2], dilation, groups) if to_weight else None,
            grad.sum((0, 1)) if to_bias else None,
            None,
            None,
        )


def _input_gradient(x: Tensor, weight: Tensor, grad: Tensor, dilation: int, groups: int) -> Tensor:
    """(B, T, W)."""
    kernel = weight.shape[2]
    images = (_phases(grad, dilation), _phases(x, dilation), weight.unsqueeze(3))
    padding = [kernel // 2, 0]
    if dilation == 1:  # as `_along_tokens` does it
        images = (_image(grad), _image(x), weight.unsqueeze(2))
        padding = [0, kernel // 2]
    wanted = (True, False, False)
    made: Tensor = torch.ops.aten.convolution_backward(
        *images, None, [1, 1], padding, [1, 1], False, [0, 0], groups, wanted
    )[0]
    return _from_image(made) if dilation == 1 else _from_phases(made, x.shape[1])


def _weight_gradient(x: Tensor, grad: Tensor, kernel: int, dilation: int, groups: int) -> Tensor:
    """(W, W / groups, kernel)."""
    (batch, tokens, width), reach = x.shape, dilation * (kernel // 2)
    padded = F.pad(x, (0, 0, reach, reach))
    if groups == 1:
        windows = padded.unfold(1, 2 * reach + 1, 1)[..., ::dilation].transpose(2, 3)  # (B, T, kernel, W), a view
        product = grad.reshape(-1, width).T @ windows.reshape(batch * tokens, -1)
        return product.view(width, kernel, width).transpose(1, 2)
    starts = range(0, kernel * dilation, dilation)
    taps = [(grad * padded[:, start : start + tokens]).sum((0, 1)) for start in starts]
    return torch.stack(taps, 1).unsqueeze(1)


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
        return convolve(mute_pads(x, keep), self.conv.weight, self.conv.bias)

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
        return convolve(mute_pads(x, keep), conv.weight, conv.bias, self.dilation, conv.groups)

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
        return convolve(mute_pads(x, keep), weight.unsqueeze(1), None, groups=width)

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
        y = F.max_pool2d(_image(x), (1, self.kernel), stride=1, padding=(0, self.reach))
        return zero_pads(_from_image(y), keep)  # a pad among pads holds -inf


class AveragePool(LocalOperation):
    """The mean of each feature over the real tokens within reach."""

    zeros_pad = False

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__(kernel)

    def along(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        real = x.new_ones(1, x.shape[1], 1) if keep is None else keep.unsqueeze(-1).to(x.dtype)
        # Both means are divided by the kernel, which cancels; pads without a real token in reach give 0 / (1 / kernel).
        return self._average(mute_pads(x, keep)) / self._average(real).clamp(min=1 / self.kernel)

    def _average(self, x: Tensor) -> Tensor:
        return _from_image(F.avg_pool2d(_image(x), (1, self.kernel), stride=1, padding=(0, self.reach)))
