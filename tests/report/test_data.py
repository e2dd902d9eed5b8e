from __future__ import annotations

import doctest

import pytest

from rosearch.measurements import Estimate
from rosearch.report import data
from rosearch.report.data import COUNT, INTERVAL, MILLIONS, PERCENT, POINTS, SHARE, TIMES, Cell, Column, Interval, Unit

SHARES = Estimate(0.125, 0.08, 0.171, 40)


def test_the_usage_of_the_module_is_true() -> None:
    assert doctest.testmod(data).failed == 0


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        (PERCENT, SHARES, "12.5% [8, 17]"),
        (PERCENT, 0.125, "12.5%"),
        (SHARE, SHARES, "12.5%"),
        (INTERVAL, SHARES, "0.125 [0.080, 0.171]"),
        (POINTS, Interval(-0.1, -0.2, 0.05), "-10.0 pts [-20.0, 5.0]"),
        (POINTS, Interval(0.0, -0.2, 0.05), "+0.0 pts [-20.0, 5.0]"),
        (MILLIONS, 2_145_282, "2.15 M"),
        (TIMES, 10.58, "10.6x"),
        (COUNT, 12, "12"),
        (Unit(style=","), 1234567, "1,234,567"),
        (Unit(" ms", 1, ends=1), Interval(4.0, 3.5, 4.25), "4.0 ms [3.5, 4.2]"),
    ],
)
def test_a_unit_says_how_a_number_reads(unit: Unit, value: float | Estimate | Interval, expected: str) -> None:
    assert unit.text(value) == expected


def test_a_cell_may_have_its_own_unit_and_words_after_it_and_a_missing_value_its_sign() -> None:
    column = Column("under attack", PERCENT)
    assert column.text(Cell(SHARES, note=" (4 of 200 rows)")) == "12.5% [8, 17] (4 of 200 rows)"
    assert column.text(Cell(3, COUNT)) == "3" and column.text("gated") == "gated"
    assert column.text(None) == "-" and Column("p", missing="").text(None) == ""
