"""Calibration: its error beside one of its definition, its temperature beside the one that made the labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from rosearch.evaluation.calibration import calibration_error, fit_temperature, measure_calibration


def drawn(rows: int, classes: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too sure by `temperature`, and labels drawn from the probabilities that they ought to give."""
    random = np.random.default_rng(seed)
    honest = random.normal(size=(rows, classes)) * 2
    labels = np.array([random.choice(classes, p=row) for row in softmax(honest, axis=1)])
    return honest * temperature, labels


def by_definition(logits: np.ndarray, labels: np.ndarray) -> float:
    """Equation 3 of Guo et al., bin by bin."""
    probabilities = softmax(logits, axis=1)
    total = 0.0
    for number in range(15):
        inside = [
            (max(row), row.argmax() == label)
            for row, label in zip(probabilities, labels)
            if number / 15 <= max(row) < (number + 1) / 15 or (number == 14 and max(row) == 1.0)
        ]
        if inside:
            confidence, right = np.mean([one for one, _ in inside]), np.mean([one for _, one in inside])
            total += len(inside) / len(labels) * abs(confidence - right)
    return total


@given(st.integers(1, 60), st.integers(2, 5), st.integers(0, 1000))
def test_the_error_is_that_of_its_definition(rows: int, classes: int, seed: int) -> None:
    logits, labels = drawn(rows, classes, 1.7, seed)
    assert calibration_error(logits, labels) == pytest.approx(by_definition(logits, labels), abs=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found_and_mends_the_error(temperature: float) -> None:
    logits, labels = drawn(4000, 3, temperature)
    fitted = fit_temperature(logits, labels)
    assert fitted == pytest.approx(temperature, rel=0.1)
    assert calibration_error(logits / fitted, labels) < 0.02


def test_the_error_after_the_temperature_is_measured_on_other_rows_alone() -> None:
    logits, labels = drawn(3000, 2, 4.0)
    same = measure_calibration(logits[:1500], labels[:1500])
    assert same.scaled_error is None and same.temperature > 2
    other = measure_calibration(logits[1500:], labels[1500:], (logits[:1500], labels[:1500]))
    assert other.temperature == same.temperature
    assert other.scaled_error is not None and other.scaled_error < other.error / 2


def test_a_classifier_that_is_right_and_sure_on_all_rows_has_no_error_and_the_smallest_temperature() -> None:
    found = measure_calibration(np.float32([[50, -50], [-50, 50]]), np.array([0, 1]))
    assert found.error == 0 and 0.05 <= found.temperature <= 20


def test_labels_for_other_rows_are_refused() -> None:
    for rows in (0, 2):
        with pytest.raises(ValueError, match=f"{rows} rows of logits for 3 labels"):
            calibration_error(np.zeros((rows, 2)), np.zeros(3, int))
    with pytest.raises(ValueError):
        fit_temperature(np.zeros((0, 2)), np.zeros(0, int))
