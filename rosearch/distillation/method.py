"""What every method of distillation is: a loss of a batch, with parameters that are thrown away afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.config import DistillationConfig
from rosearch.data.batches import Batch
from rosearch.distillation.outputs import TeacherOutputs, TeacherRows


class Method(nn.Module, ABC):
    """A loss to minimise. Parameters of the method (probes, generators) are trained beside the student's."""

    needs_hidden: ClassVar[bool]  # whether the teacher's outputs must hold hidden states

    @classmethod
    @abstractmethod
    def make(cls, config: DistillationConfig, problem: str, student: PreTrainedModel, outputs: TeacherOutputs) -> Self:
        """The method for one student; draws its own parameters from torch's generator."""

    @abstractmethod
    def loss(self, student: PreTrainedModel, batch: Batch, teacher: TeacherRows) -> Tensor:
        """The scalar float32 loss of one batch; runs the student itself, as often as it needs to."""
