from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from rosearch.config.distillation import DistillationConfig
from rosearch.data.tasks import Split, Task
from rosearch.errors import BadInput
from rosearch.materials.class_weights import class_weights, skew, weight_doubts, weights_in_words


def split_of(counts: tuple[int, ...]) -> Split:
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    return Split(tuple((f"text {row}",) for row in range(len(labels))), labels)


def task_of(*counts: int, **changes: Any) -> Task:
    """A task with so many training rows of each of the classes a, b, ..."""
    names = tuple("abcdefgh"[: len(counts)])
    rows = split_of(counts)
    return replace(Task("task", "classification", "accuracy", names, rows, rows, rows), **changes)


def config_of(**changes: Any) -> DistillationConfig:
    return DistillationConfig.model_validate(changes)


@pytest.mark.parametrize("counts", [(90, 10), (5, 5, 5), (1, 2, 3, 400)])
def test_balanced_weights_are_those_of_scikit_learn(counts: tuple[int, ...]) -> None:
    task = task_of(*counts)
    theirs = compute_class_weight("balanced", classes=np.arange(len(counts)), y=task.train.labels)
    assert class_weights("balanced", task) == pytest.approx(theirs)
    assert np.mean(theirs[task.train.labels]) == pytest.approx(1.0)


def test_nothing_is_weighed_unless_asked() -> None:
    assert class_weights("none", task_of(90, 10)) is None


def test_labels_that_are_not_named_weigh_1() -> None:
    assert class_weights({"b": 5.0}, task_of(90, 10, 3)) == (1.0, 5.0, 1.0)


def test_a_weight_for_what_is_no_label_is_one_line_each_with_the_label_that_is_meant() -> None:
    task = task_of(3, 3, labels=("billing", "urgent"))
    with pytest.raises(BadInput) as told:
        class_weights({"urgnt": 5.0, "spam": 2.0, "billing": 1.0}, task)
    assert [str(problem) for problem in told.value.problems] == [
        "experiment: distillation.class_weights.urgnt: expected a label (billing, urgent), got 'urgnt'. "
        "Did you mean urgent?",
        "experiment: distillation.class_weights.spam: expected a label (billing, urgent), got 'spam'",
    ]


def test_a_class_without_rows_weighs_1_and_is_told() -> None:
    task, config = task_of(30, 0, 10), config_of(class_weights="balanced")
    assert class_weights("balanced", task) == pytest.approx((40 / 60, 1.0, 2.0))
    assert weight_doubts(config, task) == (
        "no training row is b: distillation.class_weights balances the other classes",
    )
    assert weight_doubts(config_of(class_weights={"b": 2}), task) == ()


@pytest.mark.parametrize(("counts", "told"), [((100, 10), ""), ((101, 10), "101 training rows are a, 10 b")])
def test_classes_are_skewed_from_ten_to_one_on(counts: tuple[int, int], told: str) -> None:
    assert skew(task_of(*counts)) == told
    advice = f"{told}; distillation.class_weights: balanced makes the rare ones count as much" if told else ""
    assert weights_in_words(config_of(), task_of(*counts)) == advice
    assert weight_doubts(config_of(), task_of(*counts)) == ()


def test_scores_have_no_classes_to_weigh() -> None:
    rows = Split((("a text",),), np.array([0.5], np.float32))
    task = task_of(1, problem="regression", labels=(), train=rows)
    assert skew(task) == weights_in_words(config_of(), task) == ""


def test_the_lightest_and_the_heaviest_class_are_told_and_what_rows_without_labels_weigh() -> None:
    config = config_of(class_weights="balanced")
    assert weights_in_words(config, task_of(90, 10)) == "weighed from 0.556 (a) to 5 (b), balanced"
    more = task_of(90, 10, unlabelled=split_of((4, 0)))
    assert weights_in_words(config, more).endswith("; rows without a label weigh as what the teacher answers")
    assert weights_in_words(config_of(class_weights={"b": 3}), more).startswith("weighed from 1 (a) to 3 (b), as given")


def test_where_no_loss_reads_the_labels_it_is_said_that_weights_have_no_effect() -> None:
    config, task = config_of(class_weights="balanced", hard_weight=0), task_of(900, 10)
    (doubt,) = weight_doubts(config, task)
    assert doubt == "distillation.class_weights has no effect: with distillation.hard_weight 0 no loss reads the labels"
    assert weights_in_words(config, task) == weights_in_words(config_of(hard_weight=0), task) == ""
    assert weight_doubts(config_of(method="mate_kd", class_weights="balanced", hard_weight=0), task) == ()
