"""Weights of classes in the loss against labels, and the words for classes that are badly skewed.

>>> class_weights("balanced", task)  # 90 training rows of one class, 10 of the other
(0.5555555555555556, 5.0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosearch.config.choices import ClassWeights
from rosearch.config.distillation import DistillationConfig
from rosearch.errors import BadInput, Problem, nearest

if TYPE_CHECKING:  # wrong input is told before numpy is loaded
    import numpy as np

    from rosearch.data.tasks import Task

_KEY = "distillation.class_weights"
_SKEWED = 10  # times as many rows of the largest class as of the smallest: from there on it is told


def class_weights(asked: ClassWeights, task: Task) -> tuple[float, ...] | None:
    """The weight of each class, from the labelled training rows; None where all weigh 1.

    balanced: n / (k n_c), for n_c of n rows in k classes that have rows, so that the mean over the rows is 1. It is the
    heuristic of scikit-learn's `compute_class_weight`, after King and Zeng 2001, Logistic Regression in Rare Events
    Data. A class without rows weighs 1. Raises `BadInput` for weights of what is no label of the task.
    """
    if asked == "none":
        return None
    if isinstance(asked, dict):
        known = ", ".join(task.labels)
        unknown = [label for label in asked if label not in task.labels]
        if unknown:
            problems = [
                Problem("experiment", f"{_KEY}.{label}", f"a label ({known})", repr(label), nearest(label, task.labels))
                for label in unknown
            ]
            raise BadInput(problems)
        return tuple(asked.get(label, 1.0) for label in task.labels)
    counts = _counts(task)
    present = counts[counts > 0]
    return tuple(present.sum() / (len(present) * count) if count else 1.0 for count in counts.tolist())


def skew(task: Task) -> str:
    """In words, how badly the classes of the training rows are skewed; "" where they are not, or there are none."""
    counts = _counts(task)
    if not counts.any() or counts.max() <= _SKEWED * (least := counts[counts > 0].min()):
        return ""
    largest, smallest = (task.labels[counts.tolist().index(count)] for count in (counts.max(), least))
    return f"{counts.max():,} training rows are {largest}, {least:,} {smallest}"


def weights_in_words(config: DistillationConfig, task: Task) -> str:
    """The lightest and the heaviest class; where none is weighed, skewed classes; "" where there is nothing to tell."""
    if _no_effect(config) or not task.labels:
        return ""
    weights = class_weights(config.class_weights, task)
    if weights is None:
        return f"{told}; {_KEY}: balanced makes the rare ones count as much" if (told := skew(task)) else ""
    (least, lightest), *_, (most, heaviest) = sorted(zip(weights, task.labels, strict=True), key=lambda one: one[0])
    answered = "; rows without a label weigh as what the teacher answers" if task.unlabelled is not None else ""
    kind = "balanced" if config.class_weights == "balanced" else "as given"
    return f"weighed from {least:.3g} ({lightest}) to {most:.3g} ({heaviest}), {kind}{answered}"


def weight_doubts(config: DistillationConfig, task: Task) -> tuple[str, ...]:
    """In words, why `class_weights` does less than it says. Raises `BadInput` as `class_weights` does."""
    if class_weights(config.class_weights, task) is None:
        return ()
    if _no_effect(config):
        return (f"{_KEY} has no effect: with distillation.hard_weight 0 no loss reads the labels",)
    absent = [label for label, count in zip(task.labels, _counts(task).tolist(), strict=True) if not count]
    if absent and config.class_weights == "balanced":
        return (f"no training row is {', '.join(absent)}: {_KEY} balances the other classes",)
    return ()


def _no_effect(config: DistillationConfig) -> bool:
    from rosearch.training.trainer import METHODS  # late: torch

    return not METHODS[config.method].learns_labels(config)


def _counts(task: Task) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(classes,): the labelled training rows of each class; empty for scores."""
    import numpy as np

    if not task.labels:
        return np.zeros(0, np.int64)
    counts: np.ndarray[tuple[int], np.dtype[np.int64]] = np.bincount(task.train.labels, minlength=len(task.labels))
    return counts
