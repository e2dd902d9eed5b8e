"""The two kinds of run: students of a task, and encoders without one.

`kind` and `life` hold all differences in what is prepared, checked and run. Other code calls `kind_of(experiment)` and
never reads `distillation.target`; only the rules of the config do.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from rosearch.config.evaluation import SuiteConfig
from rosearch.config.experiment import Experiment
from rosearch.data.corpus_sources import find_sources
from rosearch.data.loading import load_task, task_seed
from rosearch.data.shared_rows import Shared, contradictions_in_words, leak_problems, shared_in_words, shared_rows
from rosearch.data.soft_labels import SoftLabels
from rosearch.data.tasks import Task
from rosearch.errors import BadInput, MachineFault, Problem, Problems, gather
from rosearch.materials.chosen_training import choices_in_words, training_problems, with_every_choice
from rosearch.materials.class_weights import weight_doubts, weights_in_words
from rosearch.materials.encoder import find_encoder, prepare_encoder_materials
from rosearch.materials.encoder_trial import estimate_encoders
from rosearch.materials.life import CandidateJob, EncoderLife, Life, TaskLife
from rosearch.materials.lineage import check_inherited
from rosearch.materials.neighbours import check_neighbours
from rosearch.materials.required_resources import (
    attack_resources,
    find_recipes,
    require_independent,
    require_training,
)
from rosearch.materials.soft_labels import open_soft_labels, soft_doubts, soft_quality
from rosearch.materials.task import dropped_rows, prepare_materials
from rosearch.materials.teacher_classes import probe_teacher
from rosearch.materials.trial import estimate
from rosearch.materials.word_table import with_word_table
from rosearch.measurements import TeacherFacts
from rosearch.models.device import resolve_device, resolve_devices
from rosearch.models.places import locate_weights
from rosearch.progress import Progress
from rosearch.space.space import Space
from rosearch.training.teacher import FoundTeacher, find_teacher
from rosearch.training.trainer import METHODS

M = TypeVar("M", bound="Materials")  # the materials of a kind


class Materials(Protocol):
    """Everything that the candidates of one run share and none changes."""

    @property
    def tokenizer(self) -> Any:
        """The teacher's tokenizer."""

    @property
    def notes(self) -> tuple[str, ...]:
        """In words, all about data and teacher that a reader of the figures must know."""

    @property
    def identity(self) -> dict[str, str]:
        """Fingerprints by name. A run whose fingerprints changed cannot go on."""

    @property
    def outputs_of_students(self) -> int:
        """The outputs of a student's classifier: 1 for a regression, 0 where there is none."""

    def vocabulary(self, encoding: str) -> int:
        """The pieces of words that a student reads under an encoding: the rows of its word table."""

    def measure_teacher(self, experiment: Experiment, progress: Progress, split: str = "validation") -> TeacherFacts:
        """The facts of the teacher on a split, timed on `validation` alone. Raises `BadInput`."""


class RunKind(Protocol):
    """One kind of run. The kinds are stateless."""

    def problems(self, experiment: Experiment, space: Space, where: str) -> list[Problem]:
        """Contradictions between the experiment and its space. `where` names the file."""

    def check(self, experiment: Experiment, space: Space, task: Task | None = None) -> dict[str, str]:
        """Everything that the experiment takes from outside, in words, by name. Nothing is written.

        `task` is the experiment's, where it was read before.
        Raises `BadInput` with all that does not fit, `MissingResource` for what is not there.
        """

    def estimate(self, experiment: Experiment, space: Space, task: Task | None = None) -> str:
        """The time of the whole search on this machine, in words; "" where it is not estimated."""

    def prepare(self, experiment: Experiment, space: Space, cache: Path, progress: Progress) -> Materials:
        """The materials of a new or resumed run, made by the driver and left in the cache.

        Raises as `check` does, before anything is trained or tokenised.
        """

    def open(self, job: CandidateJob) -> Life:
        """A candidate in its worker, with the materials from the cache."""


class TaskRun:
    """A search for students of a task."""

    def problems(self, experiment: Experiment, space: Space, where: str) -> list[Problem]:
        """See `RunKind`. A method that compares token by token needs students that read the teacher's tokens."""
        method, found = experiment.distillation.method, list(training_problems(experiment, space, where))
        if not (METHODS[method].one_tokenizer and _other_encodings(space)):
            return found
        expected = (
            "a method that reads outputs alone (kd, ad2, robust_kd): the space has other encodings than wordpiece"
        )
        return [*found, Problem(where, "distillation.method", expected, method)]

    def check(self, experiment: Experiment, space: Space, task: Task | None = None) -> dict[str, str]:
        """See `RunKind`."""
        config = experiment.require_task()
        problems = Problems(missing=True)
        with problems:
            recipes, _, _, devices = gather(
                lambda: find_recipes(experiment, attack_resources(experiment)),
                lambda: require_training(with_every_choice(experiment, space), space.encodings),
                lambda: require_independent(with_every_choice(experiment, space), space.encodings),
                lambda: _devices(experiment),
            )
        with problems:
            (loaded, shared), _ = gather(
                lambda: _rows(experiment, task), lambda: locate_weights(experiment.teacher.base, experiment.teacher.key)
            )
            teacher, soft, weighed, _ = gather(
                lambda: find_teacher(experiment.teacher, loaded, config.length),
                lambda: open_soft_labels(experiment, loaded),
                lambda: weight_doubts(experiment.distillation, loaded),
                lambda: check_neighbours(experiment, loaded),
            )
            check_inherited(experiment.distillation, teacher.weights)
        problems.raise_found()
        state = "fine-tuned" if teacher.has_head else "only pretrained: the first run fine-tunes it"
        tried = teacher.has_head and loaded.labels and soft is None
        doubt = probe_teacher(teacher.weights, loaded, config.length, devices[0]) if tried else ""
        twice = (shared_in_words(loaded, shared), contradictions_in_words(loaded))
        unsure = () if soft is None else soft_doubts(soft, loaded)
        doubts = filter(None, (*twice, doubt and f"the teacher is {doubt}", *unsure, *weighed))
        return {
            "task": _task_in_words(loaded),
            **({"classes": told} if (told := weights_in_words(experiment.distillation, loaded)) else {}),
            **({"teacher": f"{teacher.weights}, {state}"} if soft is None else _soft_in_words(soft, loaded, teacher)),
            "device": ", ".join(map(str, devices)),
            "space": f"{space.name}: {space.describe()}",
            **({"training": told} if (told := choices_in_words(experiment, space)) else {}),
            **_attacks_in_words(experiment, {name: recipe.name for name, recipe in recipes.items()}),
            **({"doubts": told} if (told := "; ".join(doubts)) else {}),
        }

    def estimate(self, experiment: Experiment, space: Space, task: Task | None = None) -> str:
        """See `RunKind`."""
        task = task or load_task(experiment.require_task(), task_seed(experiment))
        teacher = find_teacher(experiment.teacher, task, experiment.require_task().length)
        return estimate(experiment, space, task, teacher, resolve_device(experiment.execution.own_device))

    def prepare(self, experiment: Experiment, space: Space, cache: Path, progress: Progress) -> Materials:
        """See `RunKind`."""
        require_training(with_every_choice(experiment, space), space.encodings)
        materials = with_word_table(prepare_materials(experiment, cache, progress), experiment.distillation, progress)
        for encoding in space.encodings:  # the teacher tries thousands of readings: no worker's time limit has room
            materials.read_as(encoding, progress)
        return materials

    def open(self, job: CandidateJob) -> Life:
        """See `RunKind`."""
        materials = _opened(prepare_materials, job)
        return TaskLife(job, materials.read_as(str(job.genotype.source_setting["encoding"])))


class EncoderRun:
    """A search for encoders without a task."""

    def problems(self, experiment: Experiment, space: Space, where: str) -> list[Problem]:
        """See `RunKind`."""
        expected = "wordpiece alone, for encoders: they are held against the teacher token by token"
        others = f"{space.name} with {', '.join(_other_encodings(space))}"
        found = [Problem(where, "search_space", expected, others)] if _other_encodings(space) else []
        expected = "architectures alone, for encoders: a pretrained model is fine-tuned for a task"
        found += training_problems(experiment, space, where)
        return [*found, *(Problem(where, "baselines", expected, name) for name in experiment.pretrained)]

    def check(self, experiment: Experiment, space: Space, task: Task | None = None) -> dict[str, str]:
        """See `RunKind`."""
        assert experiment.corpus is not None  # a rule of the experiment
        corpus = experiment.corpus
        devices, (teacher, _, _), sources = gather(
            lambda: _devices(experiment),
            lambda: find_encoder(experiment, space.most_layers),
            lambda: find_sources(corpus),
        )
        if problems := [problem for source in sources for problem in source.problems()]:
            raise BadInput(problems)
        text = ", ".join(source.where for source in sources)
        return {
            "corpus": f"{text}; blocks of {experiment.corpus.block_length} tokens",
            "teacher": str(teacher),
            "device": ", ".join(map(str, devices)),
            "space": f"{space.name}: {space.describe()}",
        }

    def estimate(self, experiment: Experiment, space: Space, task: Task | None = None) -> str:
        """See `RunKind`."""
        assert experiment.corpus is not None  # a rule of the experiment
        teacher, _, tokenizer = find_encoder(experiment)
        device = resolve_device(experiment.execution.own_device)
        return estimate_encoders(experiment, space, teacher, tokenizer, find_sources(experiment.corpus), device)

    def prepare(self, experiment: Experiment, space: Space, cache: Path, progress: Progress) -> Materials:
        """See `RunKind`."""
        find_encoder(experiment, space.most_layers)
        return prepare_encoder_materials(experiment, cache, progress)

    def open(self, job: CandidateJob) -> Life:
        """See `RunKind`."""
        return EncoderLife(job, _opened(prepare_encoder_materials, job))


KINDS: dict[str, RunKind] = {
    "task": TaskRun(),
    "encoder": EncoderRun(),
}


def kind_of(experiment: Experiment) -> RunKind:
    """The kind that `distillation.target` names."""
    return KINDS[experiment.distillation.target]


def _rows(experiment: Experiment, task: Task | None) -> tuple[Task, Shared]:
    """The task, and its shared rows. Raises `BadInput` also where test rows are training rows and may not be."""
    config = experiment.require_task()
    task = task or load_task(config, task_seed(experiment))
    shared = shared_rows(task)
    if config.on_shared_rows == "refuse" and (problems := leak_problems(task, shared, "experiment")):
        raise BadInput(problems)
    return task, shared


def _devices(experiment: Experiment) -> tuple[torch.device, ...]:
    """The devices of the workers; the first is the driver's."""
    return resolve_devices(experiment.execution.devices or (experiment.execution.device,))


def _opened(prepare: Callable[[Experiment, Path], M], job: CandidateJob) -> M:
    """The materials in a worker, kept for its next candidates."""
    # Materials do not depend on how long a training is, which is all that differs for finalists.
    distillation = job.experiment.distillation.model_copy(update={"epochs": 1, "max_steps": None})
    experiment = job.experiment.model_copy(update={"distillation": distillation})
    materials: M = _kept(prepare, experiment.model_dump_json(), job.cache)
    found = materials.identity if job.identity is not None else {}
    if others := [name for name, value in found.items() if (job.identity or {}).get(name) != value]:
        told = f"the {' and the '.join(others)} of {socket.gethostname()} are not the driver's"
        raise MachineFault(f"{told}: let all nodes read the same files under the same paths, with one kind of device")
    return materials


@lru_cache(maxsize=1)  # a worker's candidates are all of one run
def _kept(prepare: Callable[[Experiment, Path], Any], experiment_json: str, cache: Path) -> Any:
    return prepare(Experiment.model_validate_json(experiment_json), cache)


def _other_encodings(space: Space) -> list[str]:
    return [name for name in space.encodings if name != "wordpiece"]


def _task_in_words(task: Task) -> str:
    counts = {split: getattr(task, split) for split in ("train", "validation", "test", "unlabelled")}
    rows = ", ".join(f"{len(split):,} {name}" for name, split in counts.items() if split is not None)
    return "; ".join((f"{task.name}: {rows} rows", *dropped_rows(task)))


def _soft_in_words(soft: SoftLabels, task: Task, encoder: FoundTeacher) -> dict[str, str]:
    quality, _ = soft_quality(soft, task, "validation")
    told = (
        f"{soft.path}, {len(soft.outputs):,} rows, {quality.metric} {quality.value:.3f} on {quality.n:,} labelled ones"
    )
    return {"soft labels": told, "tokenizer": str(encoder.weights)}


def _attacks_in_words(experiment: Experiment, resolved: Mapping[str, str]) -> dict[str, str]:
    if not resolved:
        return {}
    suites = experiment.evaluation.robustness
    told = f"search: {_suite_in_words(suites.search, resolved)}"
    if experiment.finalists.count:
        told += f"; finalists: {_suite_in_words(suites.report, resolved)}"
    return {"attacks": told}


def _suite_in_words(suite: SuiteConfig, resolved: Mapping[str, str]) -> str:
    return f"{', '.join(resolved[name] for name in suite.attacks)} on {suite.rows:,} rows"
