"""Task-agnostic distillation of relations among tokens (MiniLMv2, arXiv 2012.15828).

The queries A of one layer, all heads side by side (B, T, H), are cut anew into A_r relation heads of d_r = H / A_r
features. The relation of a head is softmax(A A^T / sqrt(d_r)), (T, T). The student's last layer learns the relations of
a layer of the teacher: L = sum over queries, keys, values of 1 / (A_r |x|) sum over heads and tokens of
KL(teacher || student). Widths and attention heads may differ; A_r must divide both widths. Ours: |x| counts the real
tokens of the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rosearch.errors import BadInput, Problem
from rosearch.student.local_operations import zero_pads

# Elements of a relation tensor held at once; there are about eight such tensors. On a CPU each takes 1 MiB, which fits
# its cache (2^22 elements take 1.3 times as long). Elsewhere it is larger, unmeasured, to be worth a kernel's launch.
_AT_ONCE = 2**18
_AT_ONCE_ELSEWHERE = 2**24


class Projected(NamedTuple):
    """Queries, keys and values of a layer, each (B, T, H) with all heads side by side."""

    queries: Tensor
    keys: Tensor
    values: Tensor


def check_relation_heads(heads: int, widths: Sequence[int], key: str) -> None:
    """Raises `BadInput` that names the setting `key` if the heads do not divide all widths."""
    if uneven := [width for width in widths if width % heads]:
        expected = "relation heads that divide the widths of teacher and students"
        raise BadInput(Problem("experiment", key, expected, f"{heads} for width {', '.join(map(str, uneven))}"))


def relation_loss(student: Projected, teacher: Projected, heads: int, mask: Tensor | None = None) -> Tensor:
    """The loss L of the module, a float32 scalar with a gradient for the student only.

    `mask` is (B, T), non-zero on tokens; None without padding. Padding is neither query nor key. The relations are
    computed in parts, and none is kept for the backward pass: memory is that of the six inputs, their gradients, and a
    constant. Raises `ValueError` if the heads do not divide a width, or there is no token.
    """
    for name, width in (("student", student.queries.shape[-1]), ("teacher", teacher.queries.shape[-1])):
        if width % heads:
            raise ValueError(f"{heads} relation heads do not divide the {name}'s width {width}")
    tokens = student.queries.shape[0] * student.queries.shape[1] if mask is None else int(mask.bool().sum())
    if not tokens:
        raise ValueError("a batch without any token")
    real = None if mask is None else mask.bool()
    keep = None if real is None else real.repeat_interleave(heads, dim=0)  # (B heads, T)
    losses = [
        _divergence(_cut(ours, heads, real), _cut(theirs.detach(), heads, real), keep, heads * tokens)
        for ours, theirs in zip(student, teacher, strict=True)
    ]
    return torch.stack(losses).sum()


def _cut(vectors: Tensor, heads: int, real: Tensor | None) -> Tensor:
    """(B, T, H) -> (B heads, T, H / heads), float32, zero at padding."""
    batch, tokens, _ = vectors.shape
    return (
        zero_pads(vectors.float(), real)
        .reshape(batch, tokens, heads, -1)
        .transpose(1, 2)
        .reshape(batch * heads, tokens, -1)
    )


class _RelationDivergence(torch.autograd.Function):
    """sum KL(softmax(T T^T / sqrt(d_t)) || softmax(S S^T / sqrt(d_s))) / count, for S (N, T, d_s) and T (N, T, d_t).

    The gradient is computed with the value, for a few of the N at a time, so no relation is stored. With
    G = (softmax(student) - softmax(teacher)) / count, the gradient of S is (G + G^T) S / sqrt(d_s).
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, keep: Tensor | None, count: int) -> Tensor:
        """See the class. `keep` (N, T) is True at real tokens."""
        gradient = torch.empty_like(student)
        total = student.new_zeros(())
        numbers = _AT_ONCE if student.device.type == "cpu" else _AT_ONCE_ELSEWHERE
        step = max(1, numbers // student.shape[1] ** 2)
        with torch.autocast(student.device.type, enabled=False):
            for start in range(0, len(student), step):
                part = slice(start, start + step)
                real = None if keep is None else keep[part]
                ours, theirs = _log_relation(student[part], real), _log_relation(teacher[part], real)
                target = theirs.exp()
                each = F.kl_div(ours, theirs, reduction="none", log_target=True)
                slope = ours.exp_().sub_(target)
                if real is not None:
                    each, slope = each * real.unsqueeze(-1), slope * real.unsqueeze(-1)
                total += each.sum()
                scale = count * student.shape[-1] ** 0.5
                gradient[part] = (slope + slope.transpose(1, 2)) @ student[part] / scale
        ctx.save_for_backward(gradient)
        return total / count

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient of the student's vectors; no other input has one."""
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0], None, None, None


def _divergence(student: Tensor, teacher: Tensor, keep: Tensor | None, count: int) -> Tensor:
    found: Tensor = _RelationDivergence.apply(student, teacher, keep, count)  # type: ignore[no-untyped-call]
    return found


def _log_relation(vectors: Tensor, real: Tensor | None) -> Tensor:
    """(n, T, d) -> log softmax over the real tokens of the scaled products, (n, T, T)."""
    products = vectors @ vectors.transpose(1, 2) * vectors.shape[-1] ** -0.5
    if real is not None:
        # With -inf, the difference of two masked values would be NaN.
        products = products.masked_fill(~real.unsqueeze(1), torch.finfo(products.dtype).min)
    found: Tensor = products.log_softmax(-1)
    return found
