"""What stands in for `forward` of a model's modules, and which modules it may stand in for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

Forwards = Mapping[nn.Module, Callable[..., Any]]  # what stands in for `forward`, by module


@contextmanager
def replaced(forwards: Forwards) -> Iterator[None]:
    """In this, the modules compute so: an attribute is found before its class's method. Without, all is as before."""
    try:
        for module, forward in forwards.items():
            module.__dict__["forward"] = forward
        yield
    finally:
        for module in forwards:
            module.__dict__.pop("forward", None)


def watched(module: nn.Module) -> bool:
    """Whether a module's passes are random, seen or changed by something else."""
    hooks = any(module.__dict__.get(name) for name in ("_forward_hooks", "_forward_pre_hooks", "_compiled_call_impl"))
    return hooks or module.training or "forward" in module.__dict__


def watched_everywhere() -> bool:
    """Whether hooks see the passes of all modules."""
    modules: Any = nn.modules.module
    return bool(modules._has_any_global_hook())
