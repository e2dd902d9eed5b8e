"""Linear maps of a classifier on CPU with weights packed once an attack, and what follows them done in place.

A matrix product first copies its weight into blocks that suit the caches, at every call; MKL can keep that copy. And
an activation or a sum that writes to new memory costs as much in pages as in arithmetic. The operators are those that
torch's own compiler emits (`torch._inductor`, MKL linear); they are private, so where they are missing nothing stands
in, and what they give is checked by who puts it in place. oneDNN's packed product, with the activation fused, is no
slower by itself, but builds a kernel for each number of rows that it meets, and an attack's batches have hundreds.
Own code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.activations import GELUActivation

from rosearch.evaluation.attacks.forwards import watched
from rosearch.student.operations import FeedForward, Residual, SeparableConvolution, convolve, zero_pads

_Forward = Callable[..., Any]

_OPERATORS = ("_mkl_reorder_linear_weight", "_mkl_linear")
_ROWS = 1024  # that a weight is packed for; others may be multiplied with it as well

_IN_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": torch.ops.aten.gelu_.default,
    "relu": F.relu_,
    "silu": partial(F.silu, inplace=True),
    "relu2": lambda x: F.relu_(x).square_(),
}

# Where a linear map's output goes to an activation module and nowhere else: what transformers' classes call that.
_ACTIVATED = {
    **dict.fromkeys(("BertIntermediate", "RobertaIntermediate"), "intermediate_act_fn"),
    **dict.fromkeys(("XLMRobertaIntermediate", "ElectraIntermediate"), "intermediate_act_fn"),
    "FFN": "activation",  # DistilBERT's
}


def packed_forwards(model: nn.Module) -> dict[nn.Module, _Forward]:
    """What stands in for `forward` of a model's modules on CPU: linear maps, as far as they are float32 and unwatched,
    activations and residual sums behind them.

    The weights must not change as long as it does. Nothing where torch has no such operators, or no MKL.
    """
    if not _available():
        return {}
    forwards: dict[nn.Module, _Forward] = {}
    for module in model.modules():
        if not any(map(watched, (module, *module.children()))):
            forwards.update(_stand_ins(module))
    return forwards


def _available() -> bool:
    backends: Any = torch.backends  # a packed weight is held by an object of oneDNN's
    operators = all(hasattr(torch.ops.mkl, name) for name in _OPERATORS)
    return operators and bool(backends.mkl.is_available() and backends.mkldnn.is_available())


def _stand_ins(module: nn.Module) -> Iterator[tuple[nn.Module, _Forward]]:
    if type(module) is nn.Linear:
        if all(part.dtype == torch.float32 and part.device.type == "cpu" for part in module.parameters()):
            yield module, _product(module)
    elif type(module) is Residual:
        yield module, _residual(module)
    elif type(module) is FeedForward:
        yield module, _feed_forward(module, _IN_PLACE[module.activation])
    elif type(module) is SeparableConvolution:
        yield module, _separable(module)
    elif type(module).__module__.startswith("transformers.models.") and type(module).__name__ in _ACTIVATED:
        activation = getattr(module, _ACTIVATED[type(module).__name__], None)
        if isinstance(activation, nn.ReLU):
            yield activation, _IN_PLACE["relu"]
        elif isinstance(activation, GELUActivation) and activation.act is F.gelu:
            yield activation, _IN_PLACE["gelu"]


def _product(linear: nn.Linear) -> _Forward:
    run: Any = torch.ops.mkl._mkl_linear.default
    weight, bias = linear.weight.detach(), linear.bias
    packed = torch.ops.mkl._mkl_reorder_linear_weight(weight, _ROWS)
    return lambda x: run(x, packed, weight, bias, x.shape[:-1].numel())


def _residual(module: Residual) -> _Forward:
    """No operation gives what it was given, or keeps what it gives."""
    return lambda x, keep: module.operation(module.norm(x), keep).add_(x)


def _feed_forward(module: FeedForward, activate: Callable[[Tensor], Tensor]) -> _Forward:
    return lambda x, _: module.down(activate(module.up(x)))


def _separable(module: SeparableConvolution) -> _Forward:
    conv, activate = module.depthwise, _IN_PLACE["gelu"]
    settings = (conv.weight, conv.bias, conv.dilation[0], conv.groups)
    return lambda x, keep: module.out(activate(module.pointwise(convolve(zero_pads(x, keep), *settings))))
