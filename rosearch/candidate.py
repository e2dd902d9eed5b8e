"""One candidate's life: build, distil, measure. The unit that a worker runs; whatever goes wrong becomes data."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from rosearch.errors import CandidateFailed
from rosearch.evaluation.efficiency import measure_efficiency
from rosearch.evaluation.quality import Logits, predict
from rosearch.materials.encoder_life import run_encoder
from rosearch.materials.job import CandidateJob, Lived, Stopwatch
from rosearch.materials.task import Materials, attack, open_materials, quality_of
from rosearch.materials.training_inputs import fresh_student, training_inputs
from rosearch.measurements import Measurements, Training, to_json
from rosearch.models.saved import save_whole
from rosearch.progress import Progress
from rosearch.records.record import Failure, Outcome
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.training.losses import soft_label_loss
from rosearch.training.method import TrainingInputs
from rosearch.training.trainer import distil


def run_candidate(job: CandidateJob, progress: Progress) -> Outcome:
    """Build, distil, measure and save one student. Never raises for a candidate's own fault: it returns a failure."""
    watch = Stopwatch()
    torch.set_num_threads(job.experiment.execution.threads)  # part of the result: sums depend on how they are split
    try:
        life = run_student if job.experiment.distillation.target == "task" else run_encoder
        measurements, parts = life(job, watch, progress)
        with watch.stage("save"):
            _check_finite(measurements)
            save_whole(job.student_folder, *parts)
        return Outcome(measurements, None, watch.seconds)
    except CandidateFailed as failure:
        return Outcome(None, Failure(failure.kind, failure.stage or watch.current, str(failure)), watch.seconds)
    except Exception as error:
        kind: Literal["oom", "exception"] = "oom" if _is_out_of_memory(error) else "exception"
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # the next candidate of this worker must not inherit the shortage
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        return Outcome(None, Failure(kind, watch.current, message), watch.seconds)


def run_student(job: CandidateJob, watch: Stopwatch, progress: Progress) -> Lived:
    """Build, distil and measure a student of the task.

    Raises `CandidateFailed` where the training diverges or the student gives no finite outputs.
    """
    encoding = str(job.genotype.source_setting["encoding"])
    with watch.stage("open"):
        materials = open_materials(job.experiment, job.cache).read_as(encoding)
    with watch.stage("build"):
        student = _build(job, materials)
    with watch.stage("distil"):
        training = distil(student, _inputs(job, materials, progress), job.checkpoint)
    student.eval()
    measurements = _measure(job, materials, student, training, watch, progress)
    # A tokenizer of its own goes with the student; the teacher's is kept once a run.
    return measurements, (student,) if encoding == "wordpiece" else (student, materials.tokenizer)


def _build(job: CandidateJob, materials: Materials) -> StudentForSequenceClassification:
    return fresh_student(
        job.genotype,
        materials,
        job.distillation,
        seed=job.seed,
        positions=job.teacher.positions,
        token_types=job.teacher.token_types,
    )


def _inputs(job: CandidateJob, materials: Materials, progress: Progress) -> TrainingInputs:
    resources = job.experiment.evaluation.robustness.resources
    return training_inputs(materials, job.distillation, seed=job.seed, resources=resources, progress=progress)


def _measure(
    job: CandidateJob,
    materials: Materials,
    student: StudentForSequenceClassification,
    training: Training,
    watch: Stopwatch,
    progress: Progress,
) -> Measurements:
    with watch.stage("quality"):
        logits = predict(student, materials.tokenised(job.split), materials.device, 64, progress)
        quality = quality_of(logits, materials, job.split)
        held_out = _held_out_loss(logits, job, materials)
    with watch.stage("attack"):
        under = attack(student, materials, job.split, job.suite, job.attack_seed, progress)
    with watch.stage("efficiency"):
        config = job.experiment.evaluation.efficiency
        device, cost = materials.device, job.teacher.cost
        efficiency = measure_efficiency(student, job.genotype, cost, config, device, job.latency)
    return Measurements(quality, efficiency, training, under.robustness, under.attacks, under.single_swaps, held_out)


def _held_out_loss(logits: Logits, job: CandidateJob, materials: Materials) -> float | None:
    """What the student's logits (rows, labels) still lose to the teacher's on rows of no training: the soft loss of
    distillation, mean over the rows; None where no reward asks for it.
    """
    if job.experiment.fitness.reward is None:
        return None
    teacher = torch.from_numpy(np.array(materials.teacher_logits(job.split)))  # a copy: theirs is read-only
    temperature = job.distillation.temperature
    return soft_label_loss(torch.from_numpy(logits), teacher, materials.task.problem, temperature).item()


def _check_finite(measurements: Measurements) -> None:
    """A value that is no finite number is this candidate's failure; stored, it would be the driver's."""
    try:
        to_json(measurements)
    except ValueError as error:
        raise CandidateFailed("nan", str(error)) from None


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
