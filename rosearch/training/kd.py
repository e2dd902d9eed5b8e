"""Knowledge distillation: the teacher's soft labels and the data's hard ones (Hinton 2015, arXiv 1503.02531)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from torch import Tensor
from transformers import PreTrainedModel

from rosearch.config.distillation import DistillationConfig
from rosearch.data.batches import Batch
from rosearch.training.losses import hard_label_loss, soft_label_loss
from rosearch.training.method import Method, TrainingInputs
from rosearch.training.outputs import TeacherRows


class KnowledgeDistillation(Method):
    """loss = soft_weight tau^2 KL(teacher || student) + hard_weight CE(label, student); squared errors for scores."""

    def __init__(self, config: DistillationConfig, problem: str) -> None:
        super().__init__()
        self.config = config
        self.problem = problem

    @classmethod
    def make(cls, inputs: TrainingInputs, student: PreTrainedModel) -> Self:
        """The method; it has no parameters of its own."""
        return cls(inputs.config, inputs.problem)

    def losses(self, student: PreTrainedModel, batch: Batch, teacher: TeacherRows) -> Iterator[Tensor]:
        """See the class. The student runs once, on the clean rows."""
        yield label_loss(student(**batch.inputs).logits, batch, teacher, self.config, self.problem)


def label_loss(logits: Tensor, batch: Batch, teacher: TeacherRows, config: DistillationConfig, problem: str) -> Tensor:
    """The weighted sum of soft and hard label losses of (B, labels) logits; a loss of weight 0 is not computed."""
    parts = []
    if config.soft_weight:
        soft = soft_label_loss(logits, teacher.logits, problem, config.temperature)
        parts.append(config.soft_weight * soft)
    if config.hard_weight:
        parts.append(config.hard_weight * hard_label_loss(logits, batch.labels, problem))
    return sum(parts[1:], start=parts[0])
