from __future__ import annotations

import numpy as np
import pytest

from rosearch.evaluation.collapse import collapse


def test_a_constant_predictor_is_flagged() -> None:
    found = collapse([1] * 50, [0, 1] * 25, ["negative", "positive"])
    assert (found.constant, found.never, found.lost) == (1, (0,), ())
    assert found.warning == "predicts positive for all 50 rows"


def test_a_class_that_is_never_predicted_or_hardly_ever_recalled_is_flagged() -> None:
    labels = np.repeat([0, 1, 2], 100)
    predictions = np.repeat([0, 0, 0, 2], [100, 100, 98, 2])
    found = collapse(predictions, labels)
    assert (found.constant, found.never, found.lost) == (None, (1,), (2,))
    assert found.warning == "never predicts class 1; recalls 2.0 % of class 2"


def test_few_rows_of_a_class_are_no_evidence_of_its_loss() -> None:
    labels = np.array([0] * 50 + [1] * 4)
    predictions = np.array([0] * 49 + [1] + [0] * 4)
    assert collapse(predictions, labels).warning == ""


def test_a_good_classifier_and_rows_of_one_class_are_not_flagged() -> None:
    assert collapse([0, 1, 2, 0], [0, 1, 2, 1]).warning == ""
    assert collapse([1, 1, 1], [1, 1, 1]).warning == ""


@pytest.mark.parametrize(("predictions", "labels"), [([], []), ([0, 1], [0]), ([0.5], [0]), ([0], [-1])])
def test_values_that_are_no_classes_are_refused(predictions: list[float], labels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"predictions|classes"):
        collapse(predictions, labels)
