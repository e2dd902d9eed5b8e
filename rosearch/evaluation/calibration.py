"""How far the probabilities of a classifier can be believed: its calibration error, and the temperature that mends it.

>>> temperature = fit_temperature(validation_logits, validation_labels)
>>> calibration_error(test_logits / temperature, test_labels)

Both are of Guo et al. 2017 (arXiv 1706.04599): expected calibration error with 15 bins of equal width, and one
temperature for all classes, of the smallest negative log-likelihood. A temperature changes no prediction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from rosearch.evaluation.quality import Logits
from rosearch.measurements import Calibration

_BINS = 15
_TEMPERATURES = (0.05, 20.0)  # a classifier that is right on all rows has none: its likelihood grows without end

Labels = np.ndarray[tuple[int], np.dtype[Any]]


def measure_calibration(logits: Logits, labels: Labels, validation: tuple[Logits, Labels] | None = None) -> Calibration:
    """The calibration of logits (rows, labels) against true classes (rows,).

    `validation` are logits and labels of the same model on the rows that its temperature is fitted on; None: on these
    rows, and then the error after it is not measured, since it would flatter.
    """
    fitted = validation or (logits, labels)
    temperature = fit_temperature(*fitted)
    mended = None if validation is None else calibration_error(np.asarray(logits) / temperature, labels)
    return Calibration(calibration_error(logits, labels), temperature, mended)


def calibration_error(logits: Logits, labels: Labels) -> float:
    """The expected calibration error, 0..1: the mean distance of confidence and accuracy, over 15 bins of confidence.

    Raises `ValueError` without rows, or where logits and labels differ in number.
    """
    _check(logits, labels)
    probabilities = softmax(np.asarray(logits, dtype=np.float64), axis=1)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=_BINS)  # of each bin: its rows times its gap
    return float(np.abs(gaps).sum() / len(confidence))


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """The temperature, 0.05 to 20, under which logits / temperature have the smallest negative log-likelihood.

    Above 1 the classifier is too sure of itself. Raises `ValueError` as `calibration_error` does.
    """
    _check(logits, labels)
    scores, rows = np.asarray(logits, dtype=np.float64), np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(scores / np.exp(log_temperature), axis=1)[rows, labels].mean())

    # The loss is convex in 1 / temperature, so it has one minimum: a bounded search finds it.
    found = minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def _check(logits: Logits, labels: Labels) -> None:
    if len(logits) != len(labels) or not len(labels):
        raise ValueError(f"{len(logits)} rows of logits for {len(labels)} labels")
