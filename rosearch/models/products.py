"""The plain matrix products of a model: noted during a pass, then run alone, which is the limit of any program.

>>> calls = products_of(model, inputs)  # linear maps, convolutions, both products of attention
>>> products_ms = 1000 * run_alone(make(calls))

A product keeps shapes, order in memory and types of its tensors, not their values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Like:
    """Shape, strides and type of a tensor."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    kind: torch.dtype

    def make(self) -> Tensor:
        """A tensor like it, with small numbers."""
        return torch.empty_strided(self.shape, self.strides, dtype=self.kind).fill_(0.01)


@dataclass(frozen=True)
class Call:
    """A product that a pass computed: the kernel and its arguments, with tensors as `Like`."""

    kernel: Callable[..., Any]
    arguments: tuple[Any, ...]
    settings: dict[str, Any]

    @property
    def operands(self) -> list[Like]:
        """Its tensors, in their order."""
        return [one for one in self.arguments if isinstance(one, Like)]


class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside, every call that torch's FLOP counter counts is noted."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in flop_registry:
            noted = tree_map_only(Tensor, lambda x: Like(tuple(x.shape), x.stride(), x.dtype), (args, kwargs or {}))
            self.calls.append(Call(func, *noted))
        return func(*args, **(kwargs or {}))


def products_of(model: nn.Module, inputs: Mapping[str, Tensor]) -> list[Call]:
    """The products of one forward pass, attention as its two products."""
    mode = Products()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), mode:
        model(**inputs)
    return mode.calls


Made = list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]


def make(calls: Sequence[Call]) -> Made:
    """The calls, each with tensors of its own."""
    return [(call.kernel, *tree_map_only(Like, Like.make, (call.arguments, call.settings))) for call in calls]


def run_alone(made: Made, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the products, one after the other."""
    with torch.no_grad():
        start = clock()
        for kernel, arguments, settings in made:
            kernel(*arguments, **settings)
        return clock() - start
