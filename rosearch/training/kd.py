"""Knowledge distillation: the teacher's soft labels and the data's hard ones (Hinton 2015, arXiv 1503.02531)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rosearch.config.distillation import DistillationConfig
from rosearch.data.batches import Batch
from rosearch.training.losses import hard_label_loss, soft_label_loss
from rosearch.training.method import Method, TrainingInputs
from rosearch.training.outputs import TeacherRows


@dataclass(frozen=True, eq=False)
class LabelLoss:
    """The loss of clean rows, which all methods share; a loss of weight 0 is not computed.

    soft_weight tau^2 KL(teacher || student) + hard_weight w_label CE(label, student); squared errors for scores.
    `label_smoothing` smooths the targets of both. With `flood` b the sum L becomes |L - b| + b: where it falls below b,
    its gradient turns round (Ishida et al. 2020, arXiv 2002.08709).
    """

    config: DistillationConfig
    problem: str
    weights: Tensor | None = None  # (labels,): w of each class, None: all 1

    @classmethod
    def of(cls, inputs: TrainingInputs) -> Self:
        """The loss of a training, on its device."""
        given = inputs.class_weights
        weights = None if given is None else torch.tensor(given, dtype=torch.float32, device=inputs.device)
        return cls(inputs.config, inputs.problem, weights)

    def __call__(self, logits: Tensor, batch: Batch, teacher: TeacherRows) -> Tensor:
        """The loss of the student's logits (B, labels), a float32 scalar."""
        parts = []
        if self.config.soft_weight:
            parts.append(self.config.soft_weight * self.soft(logits, teacher.logits))
        if self.config.hard_weight:
            parts.append(self.config.hard_weight * self.hard(logits, batch.labels))
        total = sum(parts[1:], start=parts[0])
        return (total - self.config.flood).abs() + self.config.flood if self.config.flood else total

    def soft(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss against the teacher's logits (B, labels) alone, without its weight."""
        smoothing = self.config.label_smoothing
        return soft_label_loss(logits, targets, self.problem, self.config.temperature, smoothing)

    def hard(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss against labels (B,) alone, without its weight."""
        return hard_label_loss(logits, labels, self.problem, self.weights, self.config.label_smoothing)


class KnowledgeDistillation(Method):
    """loss = `LabelLoss`."""

    def __init__(self, label_loss: LabelLoss) -> None:
        super().__init__()
        self.label_loss = label_loss

    @classmethod
    def make(cls, inputs: TrainingInputs, student: PreTrainedModel) -> Self:
        """The method; it has no parameters of its own."""
        return cls(LabelLoss.of(inputs))

    def losses(self, student: PreTrainedModel, batch: Batch, teacher: TeacherRows) -> Iterator[Tensor]:
        """See the class. The student runs once, on the clean rows."""
        yield self.label_loss(student(**batch.inputs).logits, batch, teacher)
