"""The work item of one candidate, as it crosses from the driver to a worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rosearch.config.experiment import Experiment, SuiteConfig
from rosearch.measurements import Latency, TeacherFacts
from rosearch.space.genotype import Genotype
from rosearch.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class CandidateJob:
    """Everything that a worker needs to know of one candidate; plain values, since it crosses a process border.

    `experiment` is the run's, but for finalists: theirs carries their own budget of distillation.
    """

    experiment: Experiment
    cache: Path
    teacher: TeacherFacts
    genotype: Genotype
    seed: int
    student_folder: Path  # the trained weights are saved there
    suite: SuiteConfig
    attack_seed: int
    split: Literal["validation", "test"] = "validation"
    latency: tuple[Latency, ...] | None = None  # measured while the machine was quiet; None: the worker measures
    unfinished: Path | None = None  # the folder of a checkpoint to go on from; None: the training starts again

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint of the training. The driver removes it once the outcome is recorded."""
        return None if self.unfinished is None else Checkpoint(self.unfinished / "checkpoint", disposable=True)
