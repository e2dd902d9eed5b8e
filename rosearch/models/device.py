"""One device setting for everything, the number format that suits it, and the machine in words."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from rosearch.errors import BadInput, MissingResource, Problem, Problems

Precision = Literal["float32", "bfloat16"]


def resolve_device(name: str, key: str = "execution.device") -> torch.device:
    """`auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:N` as a torch device; `key` asks for it.

    Raises `BadInput` for another name and `MissingResource` for a GPU that torch does not see.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if match is None:
        raise BadInput(Problem("experiment", key, "auto, cpu, cuda or cuda:N", repr(name)))
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name != "cpu" and int(match.group(1) or 0) >= count:
        seen = f"torch sees {count} CUDA device{'s' if count != 1 else ''}"
        fix = f"use -o {key}=auto{' (or cpu)' * key.endswith('device')}, or install a torch built for your GPU"
        raise MissingResource(f"{name} is not there ({seen})", fix, key)
    return torch.device(name)


def resolve_devices(names: Sequence[str]) -> tuple[torch.device, ...]:
    """Several devices. `auto` alone stands for all GPUs that torch sees, or for the CPU where it sees none.

    Raises as `resolve_device`, with all that are not there.
    """
    if tuple(names) != ("auto",):
        problems = Problems(missing=True)
        found = []
        for name in names:
            with problems:
                found.append(resolve_device(name, "execution.devices" if len(names) > 1 else "execution.device"))
        problems.raise_found()
        return tuple(found)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return tuple(torch.device("cuda", number) for number in range(count)) or (torch.device("cpu"),)


def resolve_precision(device: torch.device, precision: str) -> Precision:
    """`auto` is bfloat16 where the hardware multiplies it natively, else float32; other names stand for themselves."""
    if precision == "auto":
        return "bfloat16" if _has_bfloat16(device) else "float32"
    return "bfloat16" if precision == "bfloat16" else "float32"


@contextmanager
def autocast(device: torch.device, precision: Precision, *, training: bool = False) -> Iterator[None]:
    """Forward passes inside run in `precision`; weights, losses and optimiser states stay float32.

    `training` says that a backward pass follows. On a CPU in bfloat16 torch's fused attention is then switched off: its
    backward pass is 2 to 9 times slower there than plain products (measured: torch 2.13, AMX, 13 to 128 tokens).
    Without a backward pass the fused one is faster.
    """
    with ExitStack() as stack:
        if precision == "bfloat16":
            stack.enter_context(torch.autocast(device.type, torch.bfloat16))
            if training and device.type == "cpu":
                stack.enter_context(_plain_attention())
        yield


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention as two products and a softmax, in bfloat16; by default torch upcasts them, at half the speed."""
    cuda = torch.backends.cuda  # the CPU reads this switch too, in spite of its name
    allowed = bool(cuda.fp16_bf16_reduction_math_sdp_allowed())  # type: ignore[no-untyped-call]
    cuda.allow_fp16_bf16_reduction_math_sdp(True)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        cuda.allow_fp16_bf16_reduction_math_sdp(allowed)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # x86 only. Torch has no public function for this, and the private ones differ by version.
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in checks)


def machine() -> str:
    """The machine in words: processor, number of cores, system, torch's version. Latency depends on these."""
    parts = (
        _processor(),
        f"{os.cpu_count()} cores",
        platform.system(),
        platform.machine(),
        f"torch {version('torch')}",
    )
    return ", ".join(parts)


def _processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"
