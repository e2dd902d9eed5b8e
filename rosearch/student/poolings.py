"""How the tokens of a text become one vector. Each maps (B, T, W) to (B, W).

B is the batch, T the tokens, W the width. `operations` explains `keep` and the treatment of padding.
This file travels with every exported student: it imports only the files beside it that travel too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .local_operations import mute_pads


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


POOLINGS: dict[str, Callable[[int], nn.Module]] = {
    "first": FirstPooling,
    "mean": MeanPooling,
    "attention": AttentionPooling,
}
