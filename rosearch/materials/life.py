"""One candidate on its way: the job that a worker gets, and the life that it leads there (build, distil, measure).

`rosearch.candidate` calls the steps. `TaskLife` makes a student of a task, `EncoderLife` an encoder without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from transformers import PreTrainedModel

from rosearch.config.distillation import DistillationConfig
from rosearch.config.evaluation import SuiteConfig
from rosearch.config.experiment import Experiment
from rosearch.data.corpus import Part
from rosearch.evaluation.efficiency import measure_efficiency
from rosearch.evaluation.quality import Logits, predict
from rosearch.materials.encoder import FIDELITY, EncoderMaterials, fidelity
from rosearch.materials.lineage import Parent, begin, lineage_of
from rosearch.materials.task import TaskMaterials, quality_of, run_suite
from rosearch.materials.training_inputs import fresh_student, training_inputs
from rosearch.materials.word_table import word_table
from rosearch.measurements import Efficiency, Latency, Lineage, Measurements, Quality, TeacherFacts, Training
from rosearch.progress import Progress, Stopwatch, step
from rosearch.randomness import derive_seed
from rosearch.space.genes import put_over
from rosearch.space.genotype import Genotype
from rosearch.student.build import build_student, inherit_embeddings
from rosearch.student.inherit import Taken
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.encoder import EncoderInputs, distil_encoder, load_encoder
from rosearch.training.losses import soft_label_loss
from rosearch.training.trainer import distil


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
    identity: Mapping[str, str] | None = None  # of the driver's materials, where another machine has its own
    unfinished: Path | None = None  # the folder of a checkpoint to go on from; None: the training starts again
    parent: Parent | None = None  # its weights are the first ones; None: the start is fresh
    until: float | None = None  # the share of its steps up to a rung, 1 behind the last; None: without rungs

    @property
    def distillation(self) -> DistillationConfig:
        """The settings of its training: the experiment's, with those that the candidate was given in their place."""
        return put_over(self.experiment.distillation, self.genotype.training)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint of the training. The driver removes it once the outcome is recorded."""
        if self.unfinished is None:
            return None
        path, until = self.unfinished / "checkpoint", 1.0 if self.until is None else self.until
        return Checkpoint(path, disposable=True, until=until, expected=self.until is not None)

    def lineage(self, taken: Taken | None, steps: int) -> Lineage | None:
        """Where the weights began, for the record of a student that was trained for `steps` and saved."""
        return lineage_of(self.distillation, self.parent, taken, steps, self.student_folder)


@dataclass(frozen=True)
class Trained:
    """The result of a distillation. `held_out_loss` is known at its end for encoders alone."""

    training: Training
    held_out_loss: float | None = None


class Life(Protocol):
    """The steps that a worker goes through with one candidate, in this order."""

    def build(self) -> PreTrainedModel:
        """An untrained student on the device of the materials."""

    def inherit(self, student: PreTrainedModel) -> Taken | None:
        """Gives the student the weights that `distillation.inherit` says. Raises `MachineFault` where they are lost."""

    def distil(self, student: PreTrainedModel, progress: Progress) -> Trained:
        """Trains the student in place. Raises `CandidateFailed` where the training diverges."""

    def measure(self, student: PreTrainedModel, trained: Trained, watch: Stopwatch, progress: Progress) -> Measurements:
        """The measurements of the trained student. Raises `CandidateFailed` where its outputs are not finite."""

    def kept(self, student: PreTrainedModel) -> tuple[Any, ...]:
        """All that is saved: the student, and its tokenizer where that is not the teacher's."""


@dataclass(frozen=True)
class TaskLife:
    """A student of a task. Its materials are tokenised as its source reads words."""

    job: CandidateJob
    materials: TaskMaterials

    def build(self) -> StudentForSequenceClassification:
        """See `Life`."""
        job = self.job
        return fresh_student(
            job.genotype,
            self.materials,
            job.distillation,
            seed=job.seed,
            positions=job.teacher.positions,
            token_types=job.teacher.token_types,
        )

    def inherit(self, student: PreTrainedModel) -> Taken | None:
        """See `Life`."""
        config, rows = self.job.distillation, getattr(self.materials.tokenizer, "source_ids", None)
        words = word_table(self.materials, config)
        return begin(student, config, self.job.parent, self.materials.teacher, rows, words)

    def distil(self, student: PreTrainedModel, progress: Progress) -> Trained:
        """See `Life`."""
        job = self.job
        resources = job.experiment.evaluation.robustness.resources
        config = job.distillation
        inputs = training_inputs(self.materials, config, seed=job.seed, resources=resources, progress=progress)
        return Trained(distil(student, inputs, job.checkpoint))

    def measure(self, student: PreTrainedModel, trained: Trained, watch: Stopwatch, progress: Progress) -> Measurements:
        """See `Life`."""
        job, materials = self.job, self.materials
        student.eval()
        with watch.stage("quality"):
            logits = predict(student, materials.tokenised(job.split), materials.device, 64, progress)
            quality = quality_of(logits, materials, job.split, self._validation_logits(student))
            held_out = self._held_out_loss(logits)
            with step(progress, "meaning"):
                meaning = materials.meaning(student, materials.tokenizer, job.split)
        with watch.stage("attack"):
            under = run_suite(student, materials, job.split, job.suite, job.attack_seed, progress)
        with watch.stage("efficiency"), step(progress, "efficiency"):
            efficiency = _efficiency(student, job, materials.device)
        return Measurements(
            quality,
            efficiency,
            trained.training,
            under.robustness,
            under.attacks,
            under.single_swaps,
            held_out,
            meaning,
        )

    def kept(self, student: PreTrainedModel) -> tuple[Any, ...]:
        """See `Life`. The teacher's tokenizer is kept once a run."""
        own = self.job.genotype.source_setting["encoding"] != "wordpiece"
        return (student, self.materials.tokenizer) if own else (student,)

    def _validation_logits(self, student: PreTrainedModel) -> Logits | None:
        """The logits that a finalist's temperature is fitted on; None where the rows are the validation rows."""
        if self.job.split == "validation" or self.materials.task.problem == "regression":
            return None
        return predict(student, self.materials.tokenised("validation"), self.materials.device, 64)

    def _held_out_loss(self, logits: Logits) -> float | None:
        """The mean soft loss of distillation between the student's logits (rows, labels) and the teacher's.

        The rows are of no training. None where no reward asks for it.
        """
        job, materials = self.job, self.materials
        if job.experiment.fitness.reward is None:
            return None
        teacher = torch.from_numpy(np.array(materials.teacher_logits(job.split)))  # a copy: the original is read-only
        temperature = job.distillation.temperature
        return soft_label_loss(torch.from_numpy(logits), teacher, materials.task.problem, temperature).item()


@dataclass(frozen=True)
class EncoderLife:
    """An encoder without a task: candidates learn the proxy of the corpus, finalists the whole of it."""

    job: CandidateJob
    materials: EncoderMaterials

    def build(self) -> PreTrainedModel:
        """See `Life`. The student has no head."""
        job, tokenizer = self.job, self.materials.tokenizer
        student = build_student(
            job.genotype,
            labels=("0", "1"),  # of a head that is not kept
            problem="classification",
            vocabulary=len(tokenizer),
            positions=job.teacher.positions,
            token_types=job.teacher.token_types,
            pad_token_id=tokenizer.pad_token_id,
            dropout=job.distillation.dropout,
            seed=derive_seed(job.seed, "weights"),
            pieces=tokenizer.convert_ids_to_tokens(range(len(tokenizer))),
        )
        if job.distillation.inherit_embeddings:
            inherit_embeddings(student, load_encoder(self.materials.teacher))
        encoder: PreTrainedModel = student.student.to(self.materials.device)
        return encoder

    def inherit(self, student: PreTrainedModel) -> Taken | None:
        """See `Life`."""
        return begin(student, self.job.distillation, self.job.parent, self.materials.teacher)

    def distil(self, student: PreTrainedModel, progress: Progress) -> Trained:
        """See `Life`."""
        job, materials = self.job, self.materials
        part: Part = "train" if job.split == "test" else "proxy"
        seed = derive_seed(job.seed, "training")
        inputs = EncoderInputs(
            job.distillation, materials.corpus, part, materials.teacher, materials.device, seed, progress
        )
        return Trained(*distil_encoder(student, inputs, job.checkpoint))

    def measure(self, student: PreTrainedModel, trained: Trained, watch: Stopwatch, progress: Progress) -> Measurements:
        """See `Life`. Fidelity stands for the quality."""
        assert trained.held_out_loss is not None  # `distil` gives it
        with watch.stage("efficiency"), step(progress, "efficiency"):
            efficiency = _efficiency(student, self.job, self.materials.device)
        quality = Quality(FIDELITY, fidelity(trained.held_out_loss), self.materials.corpus.held_out)
        return Measurements(quality, efficiency, trained.training, held_out_loss=trained.held_out_loss)

    def kept(self, student: PreTrainedModel) -> tuple[Any, ...]:
        """See `Life`."""
        return (student,)


def _efficiency(student: PreTrainedModel, job: CandidateJob, device: torch.device) -> Efficiency:
    config = job.experiment.evaluation.efficiency
    return measure_efficiency(student, job.genotype, job.teacher.cost, config, device, job.latency)
