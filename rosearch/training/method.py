"""The contract of a method of distillation: losses of a batch, with parameters that are discarded afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
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
from rosearch.errors import BadInput, Problem
from rosearch.measurements import Averaging
from rosearch.models.saved import load_classifier
from rosearch.progress import Progress, silent
from rosearch.resources.resources import Resources
from rosearch.training.checkpoint import State
from rosearch.training.fitting import Schedule
from rosearch.training.outputs import TeacherOutputs, TeacherRows

Text = tuple[str, ...]  # one text, or a pair


class Adversary(Protocol):
    """Attacks a student on training rows. The implementation is `evaluation.adversary`, which is handed in."""

    def find(self, student: PreTrainedModel, rows: Rows, attacks: Sequence[str], seed: int) -> list[tuple[int, Text]]:
        """Texts that break the student: pairs of a row, one of `rows`, and its perturbed text."""

    def under_attack(self, student: PreTrainedModel, attacks: Sequence[str], rows: int | None = None) -> float:
        """Accuracy under attack, 0..1, on rows that no training sees; it decides which mean of weights is used.

        `rows` of them are attacked; None: as many as the implementation thinks enough.
        """


def schedule_of(config: DistillationConfig) -> Schedule:
    """The schedule of an experiment's distillation."""
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
    """The inputs of a student's training, for any method; resources that few methods need are opened by them."""

    config: DistillationConfig
    problem: str
    tokenised: TokenisedSplit  # the training rows, tokenised for the student
    outputs: TeacherOutputs  # for the clean rows
    texts: Sequence[Text]  # (rows,)
    labels: Any  # (rows,)
    tokenizer: Any  # the student's
    max_length: int
    teacher: Path | None  # the folder of its weights
    cache: Path
    device: torch.device
    seed: int
    resources: Path | None = None  # word lists; none: $ROSEARCH_RESOURCES
    adversary: Adversary | None = None
    progress: Progress = silent
    class_weights: tuple[float, ...] | None = None  # in the loss against labels; None: all 1

    @property
    def lists(self) -> Resources:
        """The word lists that training may read: without the half that is withheld from it, if one is."""
        return Resources(self.resources, withhold=self.config.withhold)

    def load_teacher(self) -> tuple[PreTrainedModel, Any]:
        """The teacher on the device, in eval mode and frozen, and its tokenizer: to be asked about texts that are new.

        Raises `BadInput` without a teacher.
        """
        if self.teacher is None:
            expected = f"a teacher, which {self.config.method} asks about texts that are new"
            raise BadInput(Problem("experiment", "teacher.model", expected, "none"))
        model, tokenizer = load_classifier(self.teacher)
        return model.to(self.device), tokenizer

    @property
    def schedule(self) -> Schedule:
        """The schedule of the training."""
        return schedule_of(self.config)

    @property
    def steps(self) -> int:
        """The number of optimiser steps."""
        return self.schedule.steps(len(self.tokenised))


class Method(nn.Module, ABC):
    """Losses to minimise. State that must survive a kill is in its `state_dict` (`get_extra_state` for other data)."""

    needs_hidden: ClassVar[bool] = False  # the teacher's outputs must hold hidden states
    one_tokenizer: ClassVar[bool] = False  # student and teacher must read the same tokens

    @classmethod
    def reads(cls, config: DistillationConfig) -> dict[str, tuple[str, ...]]:
        """The resources that the method reads, by the setting that asks for them; most methods read none."""
        return {}

    @classmethod
    def learns_labels(cls, config: DistillationConfig) -> bool:
        """True where a loss reads the labels of the rows, so that weights of classes have an effect."""
        return config.hard_weight > 0

    @classmethod
    def check(cls, config: DistillationConfig) -> None:
        """Raises `BadInput` or `MissingResource` for models that the method loads; most methods load none."""

    @classmethod
    @abstractmethod
    def make(cls, inputs: TrainingInputs, student: PreTrainedModel) -> Self:
        """The method for one student; it draws its own parameters from torch's generator.

        Raises `BadInput` if the inputs lack something that it needs.
        """

    @abstractmethod
    def losses(self, student: PreTrainedModel, batch: Batch, teacher: TeacherRows) -> Iterator[Tensor]:
        """The loss of one batch as float32 scalars that add up to it; may run the student several times.

        Each part is propagated back, and its activations are freed, before the next is computed.
        """

    def content(self) -> dict[str, str]:
        """Further things, beside the settings, in which a checkpoint to go on from must agree; mostly none."""
        return {}

    def trained(self) -> tuple[nn.Parameter, ...]:
        """The method's parameters that the student's optimiser trains too."""
        return tuple(self.parameters())

    def before_step(self, student: PreTrainedModel, step: int) -> None:
        """Called before each step, counted from 0. It must not change the student's weights or gradients."""

    def kept(self) -> Mapping[str, State]:
        """State that never changes once it is there, by name: a checkpoint writes each once, in a file of its own."""
        return {}

    def take_kept(self, kept: Mapping[str, State]) -> None:
        """Loads the state of `kept`."""

    def finish(self, student: PreTrainedModel) -> Averaging | None:
        """Called once after the last step. It may replace the student's weights, and says so of a choice of means."""
        return None
