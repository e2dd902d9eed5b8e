"""Soft labels from a file in the place of a teacher, for the materials of a run: outputs, yardstick, notes.

Nobody can ask a file about a changed text. So nothing is attacked in its place, and contrasts are not measured. Its
quality is that of its answers on labelled rows, and students are compared with the size of BERT-base.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification

from rosearch.config.experiment import Experiment
from rosearch.data.soft_labels import SoftLabels, Values, soft_labels_of
from rosearch.data.tasks import Rows, Task
from rosearch.errors import BadInput, Problem
from rosearch.evaluation.class_order import ClassOrder, class_order
from rosearch.evaluation.efficiency import count_model_flops, count_model_parameters
from rosearch.evaluation.quality import measure_quality
from rosearch.files import content_key
from rosearch.measurements import SOFT_LABELS, Quality, TeacherCost, TeacherFacts
from rosearch.models.lengths import table_rows
from rosearch.models.saved import load_config
from rosearch.training.outputs import TeacherOutputs

_SPLITS = ("validation", "train", "test")  # in whose order labelled rows are looked for


def open_soft_labels(experiment: Experiment, task: Task) -> SoftLabels | None:
    """The answers of `teacher.outputs`, one for each row that students learn from; None where there is a teacher.

    Raises `BadInput` with all that is wrong with the file, or the rows that it lacks; also where its answers are right
    on surely fewer rows than chance, as with two columns whose names were exchanged.
    """
    path, config = experiment.teacher.outputs, experiment.require_task()
    if path is None:
        return None
    soft = soft_labels_of(path, config, task)
    if (order := _order(soft, task)) is not None and order.wrong:
        names = [task.labels[order.best.index(place)] for place in range(len(task.labels))]
        fix = f"In the order {', '.join(names)} they would be right on {order.at_best.value * 100:.1f} %"
        expected = f"columns that say what they hold ({', '.join(task.labels)})"
        raise BadInput(Problem(str(path), "", expected, order.doubt, fix))
    return soft


def given_outputs(soft: SoftLabels, task: Task) -> TeacherOutputs:
    """The answers for all rows that students learn from, as a teacher's outputs without hidden states."""
    logits = soft.of(task.transfer, "training")
    return TeacherOutputs(content_key((soft.key, task.fingerprint)), logits, None, (), 0)


def soft_quality(soft: SoftLabels, task: Task, split: str) -> tuple[Quality, str]:
    """The quality of the answers on the rows of a split; on those of another where the file has none of it.

    Returns a note as well: the rows behind it, in words.
    """
    name, rows = _labelled(soft, task, split)
    part = getattr(task, name)
    logits: Values = soft.at(part, rows)
    quality = measure_quality(logits, part.labels[rows], task.problem, task.metric)
    told = f"students learn soft labels ({soft.path.name}), whose own quality is that of {len(rows):,} {name} rows"
    whole = "" if len(rows) == len(part) else f" of {len(part):,}"
    return quality, f"{told}{whole}; sizes are compared with BERT-base, and nothing was attacked in their place"


def soft_doubts(soft: SoftLabels, task: Task) -> tuple[str, ...]:
    """In words, why the answers may be those of other classes, by the rows that students learn from."""
    order = _order(soft, task)
    return () if order is None or not order.doubt else (f"the soft labels are {order.doubt}",)


def soft_facts(soft: SoftLabels, task: Task, split: str, encoder: Path, tokens: int) -> TeacherFacts:
    """The yardstick of students of soft labels: their quality, BERT-base's cost, and the shape of an encoder's tables.

    FLOPs are those of a text of so many `tokens`.
    """
    quality, told = soft_quality(soft, task, split)
    positions, token_types = table_rows(load_config(encoder))
    cost = bert_base_cost(task.num_labels, tokens)
    return TeacherFacts(quality, cost, positions, token_types, notes=(told,), called=SOFT_LABELS)


def bert_base_cost(labels: int, tokens: int) -> TeacherCost:
    """Parameters and FLOPs of BERT-base with a head for so many labels, of a text of so many `tokens`.

    Its parameters take no memory here. FLOPs are counted for one and two of its 12 layers, which are all alike.
    """
    config = BertConfig(num_labels=labels)
    with torch.device("meta"):
        parameters, encoder_parameters = count_model_parameters(BertForSequenceClassification(config))
    with torch.random.fork_rng(devices=[]):
        one, two = (
            count_model_flops(_shallow(layers, labels), min(tokens, config.max_position_embeddings))
            for layers in (1, 2)
        )
    return TeacherCost(parameters, encoder_parameters, one + (config.num_hidden_layers - 1) * (two - one))


def _shallow(layers: int, labels: int) -> BertForSequenceClassification:
    """BERT-base with fewer layers and few words, which cost no FLOPs."""
    return BertForSequenceClassification(BertConfig(vocab_size=8, num_hidden_layers=layers, num_labels=labels))


def require_teacher(experiment: Experiment, wants: str) -> None:
    """Raises `BadInput` for soft labels where a teacher itself is needed; `wants` says for what."""
    if experiment.teacher.outputs is not None:
        expected = f"a teacher, {wants}"
        raise BadInput(Problem("experiment", "teacher.model", expected, experiment.teacher.name))


def _labelled(soft: SoftLabels, task: Task, split: str) -> tuple[str, Rows]:
    for name in dict.fromkeys((split, *_SPLITS)):
        if len(rows := soft.covered(getattr(task, name))):
            return name, rows
    raise AssertionError("the training rows have answers")


def _order(soft: SoftLabels, task: Task) -> ClassOrder | None:
    """How the answers on training rows fit the labels; None for a regression."""
    if task.problem == "regression":
        return None
    answers = soft.of(task.train, "training").argmax(axis=1)
    return class_order(answers, task.train.labels, len(task.labels))
