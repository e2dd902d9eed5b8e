"""Pretrained models among the baselines: fine-tuned as a teacher is, and measured on its rows under its attacks.

A reader asks whether a small model that is there already would have done. It is no student: it has no genotype, learns
from the labels alone, and reads with its own tokenizer. So its figures stand beside the teacher's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rosearch.config.experiment import Experiment
from rosearch.config.teacher import TeacherConfig
from rosearch.data.tasks import Task
from rosearch.errors import BadInput, CandidateFailed, Problem, Problems
from rosearch.materials.latency import plain_latency
from rosearch.materials.task import TaskMaterials
from rosearch.measurements import TeacherFacts
from rosearch.models.places import locate_weights
from rosearch.models.saved import load_tokenizer
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.training.teacher import find_teacher, prepare_teacher


def check_neighbours(experiment: Experiment, task: Task) -> None:
    """Raises `BadInput` and `MissingResource` with all pretrained baselines that are absent or do not fit the task."""
    problems, length = Problems(missing=True), experiment.require_task().length
    for name in experiment.pretrained:
        with problems:
            key = f"baselines.{experiment.baselines.index(name)}"
            locate_weights(name, key)
            try:
                find_teacher(_config(experiment, name), task, length)
            except BadInput as error:
                named = [replace(one, key=key) if one.key == "teacher.model" else one for one in error.problems]
                raise BadInput(named) from None
    problems.raise_found()


def measure_neighbours(
    materials: TaskMaterials, experiment: Experiment, progress: Progress = silent, split: str = "validation"
) -> tuple[TeacherFacts, ...]:
    """The facts of each pretrained baseline on a split, timed on `validation` alone; `called` is its name.

    It is fine-tuned once, with the settings of `teacher.fine_tune`, and kept in the cache; a classifier is taken as it
    is. Raises as `TaskMaterials.measure_teacher` does.
    """
    return tuple(_neighbour(materials, experiment, name, progress, split) for name in experiment.pretrained)


def _neighbour(
    materials: TaskMaterials, experiment: Experiment, name: str, progress: Progress, split: str
) -> TeacherFacts:
    def told(stage: str, done: int, total: int) -> None:
        progress(f"{_public(name)}, {stage}", done, total)

    seed, cache = derive_seed(experiment.seed, "teacher"), materials.cache
    config, device = _config(experiment, name), materials.device
    folder = prepare_teacher(config, materials.task, materials.max_length, cache, device, seed, told)
    own = replace(materials, teacher=folder, tokenizer=load_tokenizer(folder), soft=None, notes=())
    try:
        facts = own.figures_of_teacher(experiment, told, split)
    except CandidateFailed as failure:
        raise BadInput(
            Problem("experiment", f"baselines: {name}", "a model that can be measured", str(failure))
        ) from None
    latency = plain_latency(own.loaded_teacher, experiment) if split == "validation" else None
    return replace(facts, latency_ms=latency, folder=own.teacher_folder, called=_public(name))


def _config(experiment: Experiment, name: str) -> TeacherConfig:
    return TeacherConfig(model=name, fine_tune=experiment.teacher.fine_tune)


def _public(name: str) -> str:
    """A name without the folders of this machine."""
    return Path(name).name if Path(name).expanduser().is_dir() else name
