from __future__ import annotations

import numpy as np
import pytest

from rosearch.evaluation.class_order import class_order


def rows(table: list[list[int]]) -> tuple[list[int], list[int]]:
    """Predictions and labels of a table of counts: true class by predicted class."""
    cells = [(true, told) for true, row in enumerate(table) for told, count in enumerate(row) for _ in range(count)]
    return [told for _, told in cells], [true for true, _ in cells]


@pytest.mark.parametrize(
    ("table", "wrong", "doubted"),
    [
        ([[45, 5], [5, 45]], False, False),
        ([[5, 45], [45, 5]], True, True),
        ([[27, 23], [25, 25]], False, True),
        ([[2, 1], [1, 2]], False, True),
        ([[0, 90], [0, 10]], False, True),  # a constant predictor: wrong on most rows, and in no other order
        ([[90, 0], [10, 0]], False, True),
        ([[5, 85], [9, 1]], True, True),  # rare classes count: chance is 0.23 here, not 0.5
        ([[40, 5, 5], [5, 5, 40], [5, 40, 5]], False, True),  # two of three classes exchanged
        ([[5, 40, 5], [5, 5, 40], [40, 5, 5]], True, True),
        ([[0, 0], [0, 50]], False, True),  # rows of one class tell nothing
    ],
)
def test_an_accuracy_below_chance_is_wrong_and_one_that_may_be_chance_is_doubted(
    table: list[list[int]], wrong: bool, doubted: bool
) -> None:
    found = class_order(*rows(table), len(table))
    assert (found.wrong, bool(found.doubt)) == (wrong, doubted)


def test_the_order_that_fits_best_is_advised_in_the_order_of_the_outputs() -> None:
    found = class_order(*rows([[0, 30, 0], [0, 0, 30], [30, 0, 0]]), 3)
    assert found.best == (1, 2, 0) and found.at_best.value == 1
    assert "outputs: c, a, b fit best (right on 100.0 %)" in found.advice(("a", "b", "c"))


def test_the_doubt_says_accuracy_interval_rows_and_chance() -> None:
    found = class_order(*rows([[5, 45], [45, 5]]), 2)
    assert found.doubt == (
        "right on 10.0 % (5.5 to 17.4) of 100 rows, where chance is 50.0 %: its classes stand in another order"
    )
    exchanged = class_order(*rows([[40, 0, 0], [0, 0, 40], [0, 40, 0]]), 3).doubt
    assert exchanged.endswith("and with its classes in another order on 100.0 %")


def test_no_rows_are_no_error() -> None:
    assert not class_order(np.array([], np.int64), np.array([], np.int64), 2).wrong
