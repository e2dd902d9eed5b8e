"""The labels and the length of a task that its experiment does not give: from the teacher, else from the data.

>>> experiment, told = derive(load_experiment("my.yaml"))
>>> told
('labels billing, refund: those of the teacher', 'max_length 48: 99 in 100 of 2,400 training texts ...')

What is derived follows from files alone, so equal ones give equal values. A run keeps them in its snapshot, and goes on
with them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from transformers import AutoModel, AutoModelForSequenceClassification

from rosearch.config.experiment import Experiment
from rosearch.config.task import TaskConfig
from rosearch.config.teacher import TeacherConfig
from rosearch.data.loading import found_labels, load_task, task_seed
from rosearch.data.tokens import token_counts
from rosearch.errors import BadInput, Problem
from rosearch.models.heads import are_named, has_head, output_names
from rosearch.models.lengths import longest_input
from rosearch.models.places import locate_weights
from rosearch.models.saved import asked_by, open_model

_KEPT_WHOLE = 0.99  # share of the training texts
_READ = 20_000  # training texts that are looked at, evenly over the rows
_STEP, _LEAST = 8, 16  # tokens
_SHOWN = 6  # names


class Derived(NamedTuple):
    """An experiment whose task says its labels and its length, and what of them was derived, in words."""

    experiment: Experiment
    told: tuple[str, ...] = ()


def derive(experiment: Experiment) -> Derived:
    """Completes the task of an experiment; without a task, or with a complete one, it is returned as it is.

    Raises `BadInput` and `MissingResource` where data or teacher cannot be read, or the label is no class.
    """
    task = experiment.task
    if task is None or (task.max_length is not None and (task.labels or task.problem == "regression")):
        return Derived(experiment)
    config, tokenizer = open_teacher(experiment.teacher)
    told = []
    if task.problem == "classification" and not task.labels:
        task, words = _with_labels(task, None if experiment.teacher.outputs else config)
        told.append(words)
    if task.max_length is None:
        task, words = _with_length(task, task_seed(experiment), config, tokenizer)
        told.append(words)
    return Derived(experiment.model_copy(update={"task": task}), tuple(told))


def open_teacher(config: TeacherConfig) -> tuple[Any, Any]:
    """The configuration and the tokenizer of the teacher that an experiment names; its weights are not loaded."""
    weights, kind = locate_weights(config.base, config.key), AutoModel if config.outputs else None
    with asked_by("experiment", config.key):
        return open_model(kind or AutoModelForSequenceClassification, weights, trains_head=kind is None)


def gives_scores(model: str) -> bool:
    """True for a teacher with one output, which is a score."""
    config, _ = open_teacher(TeacherConfig(model=model))
    return has_head(config) and int(config.num_labels) == 1


def _with_labels(task: TaskConfig, teacher: Any) -> tuple[TaskConfig, str]:
    names = output_names(teacher, "experiment: teacher.model") if teacher is not None and has_head(teacher) else ()
    theirs = bool(names) and are_named(names)
    labels = names if theirs else found_labels(task)
    files = task.files
    if files is not None and files.label_values is not None and len(files.label_values) != len(labels):
        expected = f"a spelling for each of {len(labels)} labels ({_some(labels)})"
        raise BadInput(Problem("experiment", "task.files.label_values", expected, str(files.label_values)))
    source = "those of the teacher" if theirs else f"those in the column {task.label!r}"
    return task.model_copy(update={"labels": list(labels)}), f"labels {_some(labels)}: {source}"


def _with_length(task: TaskConfig, seed: int, teacher: Any, tokenizer: Any) -> tuple[TaskConfig, str]:
    texts = load_task(task, seed).train.texts
    texts = texts[:: -(-len(texts) // _READ)]
    tokens = int(np.quantile(token_counts(texts, tokenizer), _KEPT_WHOLE, method="higher"))
    longest = longest_input(teacher, tokenizer)
    length = min(max(_LEAST, -(-tokens // _STEP) * _STEP), longest)
    told = f"max_length {length}: 99 in 100 of {len(texts):,} training texts have at most {tokens} tokens"
    told += f", of which the teacher reads {longest}" if tokens > longest else ""
    return task.model_copy(update={"max_length": length}), told


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
