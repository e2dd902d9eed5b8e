"""The time that a search may take on this machine: a trial step of the teacher and of a few students, times the budget.

It is an estimate. Students of a search grow and shrink, attacks end at different rows, and other work slows a machine.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from rosearch.config.evaluation import SuiteConfig
from rosearch.config.experiment import Experiment
from rosearch.data.tasks import Task
from rosearch.data.tokens import token_counts
from rosearch.errors import one_line
from rosearch.models.lengths import table_rows
from rosearch.models.saved import load_config, load_tokenizer
from rosearch.space.space import Space
from rosearch.student.build import build_student
from rosearch.training.teacher import FoundTeacher

_STUDENTS = 3  # drawn from the space; the median of their times counts
_ROWS = 16  # of a trial step
_SAMPLED = 256  # training texts whose tokens are counted
# Of an attacked row: those of DeepWordBug on a text of 20 words, and of an attack that asks of every letter. Longer
# texts take more.
_QUERIES, _OF_EVERY_LETTER = 40, {"pruthi": 200}
_BACKWARD = 3  # a training step takes as long as so many forward passes


@dataclass(frozen=True)
class Trial:
    """Seconds a row: a forward pass of the teacher and of a student, a training step of a student."""

    teacher: float
    student: float
    training: float


def estimate(experiment: Experiment, space: Space, task: Task, teacher: FoundTeacher, device: torch.device) -> str:
    """The time of the whole search, in words, with what it is made of. Trains for a moment; nothing is written."""
    try:
        with torch.random.fork_rng(devices=[]):
            trial = time_steps(experiment, space, task, teacher, device)
    except Exception as error:  # no estimate is no fault of the experiment
        return f"none: the trial step failed ({one_line(error)})"
    return in_words(experiment, len(task.train), teacher.has_head, trial)


def time_steps(experiment: Experiment, space: Space, task: Task, teacher: FoundTeacher, device: torch.device) -> Trial:
    """A trial step of the teacher, with random weights, and of students drawn from the space, at the mean length."""
    tokenizer, config = load_tokenizer(teacher.weights), load_config(teacher.weights)
    texts = task.train.texts[:: -(-len(task.train.texts) // _SAMPLED)]
    length = min(experiment.require_task().length, round(float(token_counts(texts, tokenizer).mean())))
    model = AutoModelForSequenceClassification.from_config(config)
    return time_models(space, model, tokenizer, length, device, len(task.labels))


def time_models(
    space: Space, model: PreTrainedModel, tokenizer: Any, length: int, device: torch.device, labels: int = 0
) -> Trial:
    """The seconds a row of `length` tokens of a teacher, and of students drawn from the space.

    Students have a head of so many `labels`: of 0 it is a regression's, which costs no more than none.
    """
    tokens = torch.randint(0, len(tokenizer), (_ROWS, length), generator=torch.Generator().manual_seed(1)).to(device)
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    positions, token_types = table_rows(model.config)
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    forward, training = [], []
    for number in range(_STUDENTS):
        student = build_student(
            space.sample(random.Random(number)), labels=tuple(map(str, range(labels))),
            problem="classification" if labels else "regression", vocabulary=len(tokenizer), positions=positions,
            token_types=token_types, pad_token_id=tokenizer.pad_token_id, dropout=0.1, seed=number, pieces=pieces,
        ).to(device)  # fmt: skip
        training.append(_seconds(lambda student=student: student(**inputs).logits.sum().backward(), device))  # type: ignore[misc]
        with torch.inference_mode():
            forward.append(_seconds(lambda student=student: student(**inputs), device))  # type: ignore[misc]
    model.eval().to(device)
    with torch.inference_mode():
        taken = _seconds(lambda: model(**inputs), device)
    return Trial(taken / _ROWS, median(forward) / _ROWS, median(training) / _ROWS)


def in_words(experiment: Experiment, rows: int, has_head: bool, trial: Trial) -> str:
    """The estimate for a task of so many training rows, and what it is made of."""
    config, search, finalists = experiment.distillation, experiment.evaluation.robustness, experiment.finalists
    candidate = steps_of(config.epochs, config.max_steps, config.batch_size, rows) * config.batch_size * trial.training
    final = candidate if finalists.epochs is None else finalists.epochs * rows * trial.training
    candidate += _attacked(experiment, search.search, trial.student)
    final += _attacked(experiment, search.report, trial.student)
    tuned, asked = experiment.teacher.fine_tune, 0.0 if experiment.teacher.outputs else trial.teacher
    teacher = rows * asked + _attacked(experiment, search.search, asked)
    if not has_head:
        steps = steps_of(tuned.epochs, tuned.max_steps, tuned.batch_size, rows)
        teacher += steps * tuned.batch_size * _BACKWARD * asked
    chosen = (finalists.count + len(experiment.architectures)) * finalists.replicates if finalists.count else 0
    teacher += _attacked(experiment, search.report, asked) if chosen else 0  # it stands beside the finalists
    students = experiment.evolution.candidates + len(experiment.architectures)
    alone = students * candidate + chosen * final
    made = f"teacher {time_in_words(teacher)}, " if asked else ""
    made += f"{students} students of {time_in_words(candidate)}"
    made += f", {chosen} trainings of finalists of {time_in_words(final)}" if chosen else ""
    more = "" if config.method in ("kd", "hidden_states") else f"; {config.method} takes longer than plain distillation"
    return whole_in_words(experiment, teacher, alone, made) + more


def whole_in_words(experiment: Experiment, before: float, students: float, made: str) -> str:
    """The estimate from the seconds before the first student and those of all students, and what they are made of."""
    workers = experiment.execution.at_a_time or max(1, torch.cuda.device_count())
    spent = (before + students) * experiment.execution.threads
    early = "; less with evolution.rungs, which end trainings early" if experiment.evolution.rungs else ""
    return (
        f"about {time_in_words(before + students / workers)} with {workers} at a time ({made}), "
        f"{time_in_words(spent)} of a device or processor in all; estimated from a trial step of each on this machine"
        + early
    )


def steps_of(epochs: float, most: int | None, batch: int, rows: float) -> float:
    """The steps of a training of so many passes over so many rows."""
    steps = epochs * rows / batch
    return steps if most is None else min(steps, most)


def _attacked(experiment: Experiment, suite: SuiteConfig, seconds: float) -> float:
    asked = [_OF_EVERY_LETTER.get(name, _QUERIES) for name in suite.attacks if experiment.attacked]
    return suite.rows * seconds * sum(min(queries, suite.queries or queries) for queries in asked)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the second of two calls: the first pays for what is made once."""
    for _ in range(2):
        begun = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return time.perf_counter() - begun


def time_in_words(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
