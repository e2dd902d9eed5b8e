"""What every method of distillation is: losses of a batch, with parameters that are thrown away afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.config.distillation import DistillationConfig
from rosearch.data.batches import Batch
from rosearch.data.tasks import Rows
from rosearch.data.tokens import TokenisedSplit
from rosearch.progress import Progress, silent
from rosearch.training.fitting import Schedule
from rosearch.training.outputs import TeacherOutputs, TeacherRows

Text = tuple[str, ...]  # one text, or a pair


class Adversary(Protocol):
    """Attacks a student on training rows. It lives above this layer (`evaluation.adversary`) and is handed in."""

    def find(self, student: PreTrainedModel, rows: Rows, attacks: Sequence[str], seed: int) -> list[tuple[int, Text]]:
        """Texts that break the student: of some of `rows`, the row and what it became."""

    def under_attack(self, student: PreTrainedModel, attacks: Sequence[str]) -> float:
        """Accuracy under attack on rows that no training sees: what running means are chosen by."""


def schedule_of(config: DistillationConfig) -> Schedule:
    """How long and how fast an experiment's distillation is."""
    return Schedule(
        config.epochs,
        config.max_steps,
        config.batch_size,
        config.learning_rate,
        config.warmup_share,
        config.weight_decay,
        config.clip_norm,
        config.precision,
    )


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """All that a method may stand on; what only some need is opened by them."""

    config: DistillationConfig
    problem: str
    tokenised: TokenisedSplit  # the training rows as the student reads them
    outputs: TeacherOutputs  # the teacher's, of the clean rows
    texts: Sequence[Text]  # (rows,)
    labels: Any  # (rows,)
    tokenizer: Any  # the student's
    max_length: int
    teacher: Path | None  # its folder
    cache: Path
    device: torch.device
    seed: int
    resources: Path | None = None  # word lists; none: $ROSEARCH_RESOURCES
    adversary: Adversary | None = None
    progress: Progress = silent

    @property
    def schedule(self) -> Schedule:
        """How long and how fast."""
        return schedule_of(self.config)

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return self.schedule.steps(len(self.tokenised))


class Method(nn.Module, ABC):
    """Losses to minimise. What it must keep over a kill is in its `state_dict` (`get_extra_state` for the rest)."""

    needs_hidden: ClassVar[bool] = False  # whether the teacher's outputs must hold hidden states
    one_tokenizer: ClassVar[bool] = False  # whether student and teacher must read the same tokens

    @classmethod
    def reads(cls, config: DistillationConfig) -> dict[str, tuple[str, ...]]:
        """The names of the resources that the method reads, by the setting that asks for them; most read none."""
        return {}

    @classmethod
    @abstractmethod
    def make(cls, inputs: TrainingInputs, student: PreTrainedModel) -> Self:
        """The method for one student; draws its own parameters from torch's generator.

        Raises `BadInput` where the inputs lacks what it needs.
        """

    @abstractmethod
    def losses(self, student: PreTrainedModel, batch: Batch, teacher: TeacherRows) -> Iterator[Tensor]:
        """The loss of one batch as scalar float32 parts that add up to it; runs the student as often as it needs to.

        Each part is propagated back, and its activations freed, before the next is computed.
        """

    def trained(self) -> tuple[nn.Parameter, ...]:
        """Parameters that are trained beside the student, by its optimiser."""
        return tuple(self.parameters())

    def before_step(self, student: PreTrainedModel, step: int) -> None:
        """Called before each step, counted from 0; must leave the student's weights and gradients as they are."""

    def finish(self, student: PreTrainedModel) -> None:
        """Called once after the last step; may choose other weights for the student."""
