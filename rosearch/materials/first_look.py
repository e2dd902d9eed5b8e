"""A first look at what an experiment takes from outside: rows, teacher, word lists of attacks. It loads no torch.

What is wrong there is told within a second, with all else that is wrong. What only torch and transformers can tell is
looked at when nothing is: `kind_of(experiment).check`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosearch.config.draft import Draft
from rosearch.config.task import TaskConfig
from rosearch.errors import BadInput, Problem, Problems
from rosearch.evaluation.attacks.recipes import unknown_attacks
from rosearch.materials.class_weights import class_weights
from rosearch.materials.required_resources import attack_names, attack_resources, find_recipes
from rosearch.models.engines import ENGINES, GRAPH_PACKAGES, require_packages
from rosearch.models.heads import has_head, label_order
from rosearch.models.places import is_local, locate_weights
from rosearch.resources.functions import find_functions

if TYPE_CHECKING:
    from rosearch.data.tasks import Task

_OF_FILES = tuple(f"files.{key}" for key in ("train", "validation", "test", "unlabelled", "columns", "label_values"))
_OF_ROWS = tuple(f"task.{key}" for key in ("text", "label", "labels", "path", *_OF_FILES, "local", "hub", "problem"))
_OF_ATTACKS = tuple(
    f"evaluation.robustness.{key}"
    for key in ("search.attacks", "search.single_swaps", "report.attacks", "report.single_swaps", "resources")
)
NO_HEAD = "weights without a classification head are fine-tuned for the task"


@dataclass(frozen=True)
class _Labels:
    """The labels of a task, of which nothing else is known."""

    problem: str
    labels: tuple[str, ...]

    @property
    def num_labels(self) -> int:
        return len(self.labels) or 1


def look_outside(draft: Draft, problems: Problems) -> Task | None:
    """Adds all that is wrong with data, teacher and attacks, as far as files tell; broken parts are left out.

    Returns the task where its rows were read.
    """
    experiment, loaded = draft.experiment, None
    if (task := experiment.task) is not None and draft.sound(*_OF_ROWS):
        with problems, _told_where_sound(draft):
            loaded = _read_rows(draft, task)
    if loaded is not None:
        problems.add(*_leaks(loaded, experiment.require_task()))
    if loaded is not None and task is not None and task.labels and draft.sound("distillation.class_weights"):
        with problems:
            class_weights(experiment.distillation.class_weights, loaded)
    if draft.sound("teacher"):
        with problems:
            _look_at_teacher(draft)
        if loaded is not None and (soft := experiment.teacher.outputs) is not None:
            from rosearch.data.soft_labels import soft_labels_of  # late: pandas

            with problems:
                soft_labels_of(soft, experiment.require_task(), loaded)
    if draft.sound(*_OF_ATTACKS) and not unknown_attacks(("", "", name) for name in attack_names(experiment)):
        with problems:
            find_recipes(experiment, attack_resources(experiment))
    if draft.sound("evaluation.efficiency.runtime") and experiment.evaluation.efficiency.runtime == "onnx":
        with problems:
            require_packages(GRAPH_PACKAGES, "onnx", ENGINES["onnx"].install, "evaluation.efficiency.runtime")
    if draft.sound("distillation"):
        with problems:
            find_functions(experiment.distillation.functions)
    # Labels that were not given may be the teacher's, which has its own names for them.
    return loaded if task is not None and (task.labels or task.problem == "regression") else None


def _read_rows(draft: Draft, task: TaskConfig) -> Task | None:
    """Files alone: the rows of a grammar have no faults, and a hub takes its time."""
    if task.path is None and task.files is None:
        return None
    from rosearch.data.loading import found_labels, load_task, task_seed  # late: pandas

    if task.problem == "classification" and not task.labels:
        task = task.model_copy(update={"labels": list(found_labels(task))})
    return load_task(task, task_seed(draft.experiment))


@contextmanager
def _told_where_sound(draft: Draft) -> Iterator[None]:
    """Leaves out problems of what stands for a wrong value, such as a share of rows."""
    try:
        yield
    except BadInput as error:
        raise BadInput([one for one in error.problems if draft.sound(one.key)], error.missing) from None


def _leaks(task: Task, config: TaskConfig) -> list[Problem]:
    from rosearch.data.shared_rows import leak_problems, shared_rows

    return leak_problems(task, shared_rows(task), "experiment") if config.on_shared_rows == "refuse" else []


def _look_at_teacher(draft: Draft) -> None:
    """A folder or a package: is it there and whole, and are its labels those of the task."""
    teacher, task = draft.experiment.teacher, draft.experiment.task
    if not is_local(model := teacher.base):
        return
    config = _Settings(locate_weights(model, teacher.key) / "config.json")
    if teacher.outputs is not None:
        return
    named = task is not None and bool(task.labels or task.problem == "regression")
    if task is None or not (named and has_head(config) and draft.sound("task.labels", "task.problem", "task.name")):
        return
    label_order(config, _Labels(task.problem, tuple(task.labels)), model, NO_HEAD)


class _Settings:
    """A model's config.json with what transformers fills in; what it is not sure of, transformers tells later."""

    def __init__(self, path: Path) -> None:
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            expected = "a config.json of a model that transformers knows"
            raise BadInput(Problem("experiment", "teacher.model", expected, f"{path}: {error}")) from None
        settings: dict[str, Any] = read if isinstance(read, dict) else {}
        named = settings.get("id2label")
        names = named if isinstance(named, dict) else {"0": "LABEL_0", "1": "LABEL_1"}
        self.id2label = {int(place) if str(place).isdigit() else place: name for place, name in names.items()}
        self.label2id = settings.get("label2id") or {}
        self.num_labels = len(self.id2label)
        self.architectures = settings.get("architectures")
