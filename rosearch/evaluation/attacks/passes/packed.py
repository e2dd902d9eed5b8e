"""Linear maps of a classifier on CPU with weights packed once an attack, and the steps behind them done with them.

A matrix product first copies its weight into blocks that suit the caches, at every call. oneDNN can be given that copy,
and applies an activation or adds a sum while the product is in the cache. It builds a kernel for each number of rows
that it meets, in up to 3 ms, and an attack's batches have hundreds of numbers: so rows are multiplied with a few spare
ones (`roomy`). The operators are those that torch's own compiler emits (`torch._inductor`, linear maps of oneDNN). They
are private: where they are missing nothing stands in, and whoever puts the stand-ins in place checks their results.
M is the number of rows. Own code.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.activations import GELUActivation

from rosearch.evaluation.attacks.passes.forwards import Forward, watched
from rosearch.student.leading_tokens import leading
from rosearch.student.local_operations import Convolution, LightConvolution, SeparableConvolution
from rosearch.student.operations import Attention, FeedForward, Residual

End = Callable[[Tensor, Tensor], Tensor]  # of what an operation has read of other tokens, and the sum to add: (M, W)

_OPERATORS = ("_reorder_linear_weight", "_linear_pointwise")
_MEASURED = ("x86_64", "amd64")  # processors on which this is known to gain
_ROWS = 512  # the number of rows that a weight is packed for; any other number may be multiplied with it too
_MULTIPLE = 32  # of rows, all that kernels are built for

# The step that oneDNN adds to a product: its name, numbers and way there, by our name.
_FUSED: dict[str, tuple[str, list[float], str]] = {
    "none": ("none", [], ""),
    "gelu": ("gelu", [], "none"),
    "relu": ("relu", [], ""),
    "relu2": ("relu", [], ""),  # and squared
    "silu": ("swish", [], ""),
}

# Operations whose last step is a linear map of what they have read of other tokens.
_ENDED = (Attention, Convolution, SeparableConvolution, LightConvolution)

# Modules of transformers in which a linear map's output goes to an activation and nowhere else: the names of the map,
# of the activation, and of the linear map that may follow.
_INNER = {
    **dict.fromkeys(("BertIntermediate", "RobertaIntermediate"), ("dense", "intermediate_act_fn", "")),
    **dict.fromkeys(("XLMRobertaIntermediate", "ElectraIntermediate"), ("dense", "intermediate_act_fn", "")),
    "FFN": ("lin1", "activation", "lin2"),  # DistilBERT's
}


class Packed(NamedTuple):
    """Functions with packed weights, by module."""

    forwards: dict[nn.Module, Forward]
    ends: dict[nn.Module, End]  # by a student's operation


def pack(model: nn.Module) -> Packed:
    """Stand-ins for the linear maps of a model on CPU, with the activations and residual sums behind them.

    Only maps of float32 that nothing watches get one. The weights must not change while it is used. There are none
    where torch has no such operators, or on another kind of processor than those measured. Raises whatever a private
    operator raises.
    """
    found = Packed({}, {})
    once = cache(_Map)  # a map may be asked for by itself and by the module around it
    for module in model.modules() if _available() else ():
        if not any(map(watched, (module, *module.children()))):
            found.forwards.update(_stand_ins(module, once))
            found.ends.update(_end(module, once))
    return found


def _available() -> bool:
    backends: Any = torch.backends
    operators = all(hasattr(torch.ops.mkldnn, name) for name in _OPERATORS)
    return operators and bool(backends.mkldnn.is_available()) and platform.machine().lower() in _MEASURED


def _stand_ins(module: nn.Module, once: _Pack) -> Iterator[tuple[nn.Module, Forward]]:
    operation: Any = module.operation if type(module) is Residual else None
    if _plain(module):
        yield module, _product(once(module))
    elif operation is not None and _feeds_forward(operation):
        yield module, _feed_forward(module, operation.activation, once(operation.up), once(operation.down))
    elif type(module) is Residual:
        yield module, _residual(module)
    elif type(module).__module__.startswith("transformers.models.") and type(module).__name__ in _INNER:
        first, behind, last = (getattr(module, name, None) for name in _INNER[type(module).__name__])
        activation = _activation(behind)
        if activation and _plain(first):
            yield module, _inner(once(first), activation, last)


def _end(module: Any, once: _Pack) -> Iterator[tuple[nn.Module, End]]:
    if type(module) not in _ENDED or not _plain(module.out):
        return
    out = once(module.out)
    if type(module) is Convolution:
        yield module, lambda made, x: out.plus(F.gelu(made), x)
    elif type(module) is not SeparableConvolution:
        yield module, out.plus
    elif _plain(module.pointwise):
        pointwise = once(module.pointwise)
        yield module, lambda made, x: out.plus(pointwise(made, "gelu"), x)


def _plain(module: Any) -> TypeGuard[nn.Linear]:
    """True for a linear map and nothing else, of float32 on the CPU."""
    if type(module) is not nn.Linear:
        return False
    return all(part.dtype == torch.float32 and part.device.type == "cpu" for part in module.parameters())


def _feeds_forward(operation: nn.Module) -> bool:
    if type(operation) is not FeedForward or any(map(watched, operation.modules())):
        return False
    return _plain(operation.up) and _plain(operation.down)


def _activation(module: Any) -> str | None:
    if isinstance(module, nn.ReLU):
        return "relu"
    return "gelu" if isinstance(module, GELUActivation) and module.act is F.gelu else None


class _Map:
    """A linear map of rows, (M, K) -> (M, N), with its weight packed."""

    def __init__(self, linear: nn.Linear) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)
        self.bias = linear.bias

    def __call__(self, rows: Tensor, activation: str = "none") -> Tensor:
        run: Any = torch.ops.mkldnn._linear_pointwise.default
        y: Tensor = run(rows, self.weight, self.bias, *_FUSED[activation])
        return y.square_() if activation == "relu2" else y

    def plus(self, rows: Tensor, other: Tensor) -> Tensor:
        """The map of `rows` (M, K), plus `other` (M, N)."""
        run: Any = torch.ops.mkldnn._linear_pointwise.binary
        y: Tensor = run(rows, other, self.weight, self.bias, "add")
        return y


_Pack = Callable[[nn.Linear], _Map]


def _product(run: _Map, activation: str = "none") -> Forward:
    def forward(x: Tensor) -> Tensor:
        y = run(roomy(x), activation)
        return y[: x.shape[:-1].numel()].view(*x.shape[:-1], y.shape[1])

    return forward


def _inner(first: _Map, activation: str, last: nn.Module | None) -> Forward:
    run = _product(first, activation)
    return run if last is None else lambda x: last(run(x))


def _residual(module: Residual) -> Forward:
    """The sum may be written into the operation's output: no operation returns its input, or keeps its output."""

    def forward(x: Tensor, keep: Tensor | None, gives: int | None = None) -> Tensor:
        made: Tensor = module.operation(module.norm(x), keep, *([] if gives is None else [gives]))
        return made.add_(x if gives is None else leading(x, gives))

    return forward


def _feed_forward(module: Any, activation: str, up: _Map, down: _Map) -> Forward:
    """A feed-forward node, norm and residual connection included."""

    def forward(x: Tensor, _: Tensor | None) -> Tensor:
        rows = roomy(x)
        y = down.plus(up(module.norm(rows), activation), rows)
        return y[: x.shape[:-1].numel()].view(x.shape)

    return forward


def rounded(rows: int) -> int:
    """The next multiple of 32."""
    return -(-rows // _MULTIPLE) * _MULTIPLE


def roomy(x: Tensor, extra: int = 0) -> Tensor:
    """(..., W) -> (M, W): the rows of `x`, then `extra` or more spare ones, so that M is a multiple of 32.

    A linear map or a norm works row by row, so spare rows do no harm. They hold zeros, or what stands behind `x` in its
    memory: nothing is copied where that goes on. Only for reading.
    """
    count, width = x.shape[:-1].numel(), x.shape[-1]
    rows = rounded(count + extra)
    if rows == count:
        return x.reshape(count, width)
    held = x.untyped_storage().nbytes() // x.element_size() - x.storage_offset()
    if x.is_contiguous() and held >= rows * width:
        return x.as_strided((rows, width), (width, 1))
    return F.pad(x.reshape(count, width), (0, 0, 0, rows - count))
