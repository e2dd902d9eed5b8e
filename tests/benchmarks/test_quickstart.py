"""The quickstart keeps what its page promises. `python -m tests.benchmarks.quickstart` also holds its seconds."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.benchmarks.quickstart import figures, measured, missed, table
from tests.benchmarks.quickstart_pictures import figure


def attacks(share: float) -> list[dict[str, Any]]:
    others = [{"attack": "pruthi", "under_attack": {"value": 0.5, "n": 300}}]
    return [*others, {"attack": "deepwordbug", "under_attack": {"value": share, "n": 300}}]


SUMMARY = {
    "counts": {"done": 12, "failed": 0},
    "teacher_on_test": {"quality": {"value": 1.0}, "attacks": attacks(0.05), "cost": {"parameters": 22_700_000}},
    "finalists": [
        {"name": "adabert", "quality": 0.99, "attacks": attacks(0.15), "parameters": 4_220_000},
        {"name": "", "architecture": "w96", "quality": 0.96, "attacks": attacks(0.8), "parameters": 420_000},
    ],
}


@pytest.fixture
def row() -> dict[str, Any]:
    return {"seed": 1, **copy.deepcopy(figures(SUMMARY)), "processor_seconds": 199.6, "seconds": 120.0}


def test_the_bars_are_the_last_figures_that_are_well(row: dict[str, Any]) -> None:
    assert missed(row) == []


@pytest.mark.parametrize(
    ("who", "key", "value", "told"),
    [
        ("winner", "under_attack", 0.79, "seed 1: the winner keeps 0.790, less than 0.8"),
        ("baseline", "under_attack", 0.16, "seed 1: the baseline keeps 0.160, more than 0.15"),
        ("winner", "clean", 0.95, "seed 1: the winner has 0.950 clean, the teacher 1.000"),
    ],
)
def test_a_bar_that_is_missed_is_told(row: dict[str, Any], who: str, key: str, value: float, told: str) -> None:
    row[who][key] = value
    assert missed(row) == [told]


def test_the_table_has_a_line_for_each_of_the_three(row: dict[str, Any]) -> None:
    lines = table([row, row]).splitlines()
    assert len(lines) == 2 + 2 * 3
    assert lines[2] == "| 1 | teacher | 22.70 M | 100.0 % | 5.0 % | 200 |"
    assert lines[4] == "|  | winner | 0.42 M | 96.0 % | 80.0 % |  |"


def test_the_figure_is_an_image_with_the_figures(row: dict[str, Any]) -> None:
    drawn = figure(row)
    assert ElementTree.fromstring(drawn).tag.endswith("svg") and len(drawn) < 5000
    assert "0.42 M parameters" in drawn and ">80.0 %<" in drawn and "300 test rows" in drawn


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_winner_of_the_quickstart_is_robust_where_a_plain_student_is_not(seed: int, tmp_path: Path) -> None:
    row = measured(seed, tmp_path, portable=True)
    assert row["counts"] == {"done": 12, "failed": 0, "running": 0, "pending": 0}
    assert {row[who]["rows"] for who in ("teacher", "baseline", "winner")} == {300}
    assert missed(row) == []
