"""Do a teacher's classes stand in the order of the task? Told as a doubt; refused where they are surely wrong."""

from __future__ import annotations

from pathlib import Path

import torch

from rosearch.data.tasks import Task
from rosearch.errors import BadInput, Problem
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.class_order import ClassOrder, class_order
from rosearch.evaluation.quality import inference
from rosearch.evaluation.robustness import sample_rows
from rosearch.models.heads import are_named, labels_of
from rosearch.models.saved import load_classifier, load_config
from rosearch.training.outputs import TeacherOutputs

_PROBED = 256  # rows on which `rosearch check` tries a teacher


def probe_teacher(folder: Path, task: Task, max_length: int, device: torch.device) -> str:
    """A doubt about the order of a teacher's classes, from a few validation rows; "" for none.

    Raises `BadInput` where they have no names and surely stand in another order.
    """
    model, tokenizer = load_classifier(folder)
    rows = sample_rows(len(task.validation), _PROBED, 0)
    with inference(model.to(device), device):
        logits = Victim(model, tokenizer, max_length, device)([task.validation.texts[row] for row in rows])
    order = class_order(logits.argmax(dim=1).numpy(), task.validation.labels[rows], len(task.labels))
    named = are_named(labels_of(load_config(folder)))
    return (order if named else _refused(order, folder, task)).doubt


def class_doubts(folder: Path, outputs: TeacherOutputs, task: Task) -> tuple[str, ...]:
    """In words, why the teacher's classes may stand in another order: by the rows that students learn from.

    Raises `BadInput` where they have no names and surely stand in another order.
    """
    if task.problem == "regression":
        return ()
    logits = outputs.logits[: len(task.train)]  # rows without labels follow
    order = class_order(logits.argmax(axis=1), task.train.labels, len(task.labels))
    if not are_named(labels_of(load_config(folder))):
        _refused(order, folder, task)
    return (f"the teacher is {order.doubt}",) if order.doubt else ()


def _refused(order: ClassOrder, folder: Path, task: Task) -> ClassOrder:
    if order.wrong:
        expected = f"classes in the order of the task ({', '.join(task.labels)})"
        got = f"classes without names, {order.doubt}"
        raise BadInput(Problem("experiment", f"teacher.model: {folder}", expected, got, order.advice(task.labels)))
    return order
