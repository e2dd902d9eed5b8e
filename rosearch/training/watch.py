"""The losses of a training, and when it has to end because of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rosearch.errors import CandidateFailed

_RUNAWAY = 1000.0  # a loss so many times its first value (at least 1) will not come back


class Watch:
    """Collects losses without making the device wait, and stops a training that diverges."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.losses: list[float] = []
        self._pending: list[Tensor] = []

    def note(self, loss: Tensor, norm: Tensor) -> None:
        """A finite loss with a gradient that is not finite counts as not finite: the weights are lost."""
        self._pending.append(torch.where(norm.isfinite(), loss, norm))

    def look(self) -> None:
        """Raises `CandidateFailed` where one of the losses since the last look was no good."""
        for value in torch.stack(self._pending).tolist() if self._pending else []:
            self.losses.append(value)
            if not math.isfinite(value) or abs(value) > _RUNAWAY * max(1.0, abs(self.losses[0])):
                message = f"the loss is {value:.4g} at step {len(self.losses)} (first {self.losses[0]:.4g})"
                raise CandidateFailed("nan", f"{message}: try a lower learning rate", self.stage)
        self._pending.clear()

    def final_loss(self) -> float:
        """The mean over the last tenth of the steps."""
        last = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(last) / len(last)
