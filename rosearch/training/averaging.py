"""A running mean of a student's weights (Izmailov et al. 2018, arXiv 1803.05407; here with exponential decay)."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rosearch.training.method import TrainingInputs


class RunningMean:
    """`weights` are the mean of the student's floating-point tensors, by name."""

    def __init__(self, student: PreTrainedModel, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in _floats(student).items()}

    @torch.no_grad()
    def update(self, student: PreTrainedModel) -> None:
        """Move the mean towards the student as it is."""
        for name, value in _floats(student).items():
            self.weights[name].lerp_(value, 1 - self.decay)

    @torch.no_grad()
    def choose(self, student: PreTrainedModel, inputs: TrainingInputs) -> None:
        """The student becomes the mean where that is at least as accurate under the inputs's attacks.

        Without attacks, or nobody to run them, it always does.
        """
        attacks, adversary = inputs.config.robust_kd.attacks, inputs.adversary
        own = {name: value.detach().clone() for name, value in _floats(student).items()}
        before = None
        if attacks and adversary is not None:
            student.eval()
            before = adversary.under_attack(student, attacks)
        _load(student, self.weights)
        if before is not None and adversary is not None and adversary.under_attack(student, attacks) < before:
            _load(student, own)


def _floats(student: PreTrainedModel) -> dict[str, Tensor]:
    return {name: value for name, value in student.state_dict().items() if value.is_floating_point()}


def _load(student: PreTrainedModel, weights: dict[str, Tensor]) -> None:
    for name, value in _floats(student).items():
        value.copy_(weights[name])
