"""How the tokens of a text become one vector. Each maps (B, T, W) to (B, W).

B is the batch, T the tokens, W the width. `operations` explains `keep` and the treatment of padding.
This file travels with every exported student: it imports only the files beside it that travel too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .local_operations import mute_pads

# Of the power method: the angle to v falls by (s2 / s1)^2 a step, s being singular values, whose ratio is some 0.65.
POWER_STEPS = 8
_SHORT = 1e-6  # a squared length that float16 can tell from 0


class FirstPooling(nn.Module):
    """The first token."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, W)."""
        return x[:, 0]


class MeanPooling(nn.Module):
    """The mean of the real tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, W)."""
        if keep is None:
            return x.mean(1)
        return mute_pads(x, keep).sum(1) / keep.sum(1, keepdim=True).clamp(min=1)


class AttentionPooling(nn.Module):
    """A mean of the real tokens, weighted by a learned score of each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, W)."""
        scores = self.score(x).squeeze(-1)
        if keep is not None:
            # With -inf, a text without any real token would become NaN.
            scores = scores.masked_fill(~keep, torch.finfo(scores.dtype).min)
        y: Tensor = (scores.softmax(-1).unsqueeze(1) @ x).squeeze(1)
        return y


class MeanLessPc1Pooling(nn.Module):
    """The mean of the real tokens, without all that lies along their first principal component.

    With H (T, W) the real tokens of a text and v their first right singular vector, not centred, it is the mean of the
    rows of H - H v v^T. What all tokens share goes; of a text of one token, or of equal tokens, nothing stays.
    v comes from a fixed number of steps of the power method on H^T H: the same in every engine, for any number of
    tokens, and with a gradient everywhere. It begins at a mean in which later tokens weigh more. The plain mean would
    be orthogonal to v where two tokens of equal length point apart.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, T, W) -> (B, W)."""
        real = torch.ones_like(x[..., 0], dtype=torch.bool) if keep is None else keep
        count = real.sum(1, keepdim=True).clamp(min=1)
        exact = torch.promote_types(x.dtype, torch.float32)  # in half precision little would be left of the rest
        x = mute_pads(x, keep)
        mean = x.sum(1, dtype=exact) / count
        along = real.cumsum(1) / count / count  # (B, T); no sum of them here, nor below, is too large for float16
        for _ in range(POWER_STEPS):
            v = _unit((along.to(x.dtype).unsqueeze(1) @ x).squeeze(1).to(exact))
            along = (x @ v.to(x.dtype).unsqueeze(-1)).squeeze(-1) / count / self.width
        v = _unit((along.to(x.dtype).unsqueeze(1) @ x).squeeze(1).to(exact))
        return (mean - (mean * v).sum(-1, keepdim=True) * v).to(x.dtype)


def _unit(v: Tensor) -> Tensor:
    """Vectors (B, W) of length 1; those of almost no length stay short, with a finite gradient."""
    return v * v.square().sum(-1, keepdim=True).clamp(min=_SHORT).rsqrt()


POOLINGS: dict[str, Callable[[int], nn.Module]] = {
    "first": FirstPooling,
    "mean": MeanPooling,
    "attention": AttentionPooling,
    "mean_less_pc1": MeanLessPc1Pooling,
}
