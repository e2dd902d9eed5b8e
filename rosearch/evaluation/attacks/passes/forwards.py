"""Functions that stand in for `forward` of a model's modules, and the modules that they may stand in for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

Forward = Callable[..., Any]
Forwards = Mapping[nn.Module, Forward]  # by the module whose `forward` it replaces


@contextmanager
def replaced(forwards: Forwards) -> Iterator[None]:
    """Inside, the modules compute by `forwards`: an attribute is found before its class's method."""
    try:
        for module, forward in forwards.items():
            module.__dict__["forward"] = forward
        yield
    finally:
        for module in forwards:
            module.__dict__.pop("forward", None)


def watched(module: nn.Module) -> bool:
    """True where a module's passes are random, seen by a hook, or changed by something else."""
    hooks = any(module.__dict__.get(name) for name in ("_forward_hooks", "_forward_pre_hooks", "_compiled_call_impl"))
    return hooks or module.training or "forward" in module.__dict__


def watched_everywhere() -> bool:
    """True where hooks see the passes of all modules."""
    modules: Any = nn.modules.module
    return bool(modules._has_any_global_hook())
