"""What a user types about columns holds or not; what is no condition is told where it begins."""

from __future__ import annotations

import pytest

from rosearch.errors import BadInput
from rosearch.report.conditions import Condition, parse_condition

NUMBERS = ("accuracy", "latency_ms", "under_attack_checklist-lite")
WORDS = ("name", "collapse")
ROW = {"accuracy": 0.9, "latency_ms": 4.0, "under_attack_checklist-lite": None, "name": "bert mini", "collapse": ""}


def parsed(text: str) -> Condition:
    return parse_condition(text, NUMBERS, WORDS, "--where")


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("accuracy>0.85", True),
        ("accuracy >= 0.9 and latency_ms<5", True),
        ("accuracy = 0.9", True),
        ("accuracy != 9e-1", False),
        ("accuracy<0.5 or latency_ms<5 and accuracy>0.95", False),
        ("(accuracy<0.5 or latency_ms<5) AND accuracy>.85", True),
        ("accuracy<0.5 or (latency_ms<5 and accuracy>0.85)", True),
        ("under_attack_checklist-lite > 0", False),
        ("under_attack_checklist-lite <= 0 or latency_ms == 4", True),
        ("name == 'bert mini' and collapse == \"\"", True),
        ("name != bert", True),
    ],
)
def test_comparisons_are_joined_by_and_before_or(text: str, holds: bool) -> None:
    assert parsed(text).holds(ROW) == holds


def test_a_value_that_is_absent_fulfils_no_comparison() -> None:
    assert not any(parsed(f"under_attack_checklist-lite {sign} 0").holds(ROW) for sign in ("<", ">=", "==", "!="))
    assert not parsed("accuracy > 0").holds({})


def test_the_comparisons_of_a_condition_are_told_as_they_are_read() -> None:
    condition = parsed("(accuracy>0.85 or latency_ms<5) and name == 'x'")
    assert [str(one) for one in condition.comparisons()] == ["accuracy > 0.85", "latency_ms < 5", "name == 'x'"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("accuracy>", "expected a number after accuracy >, got the end"),
        ("accuracy > high", "expected a number after accuracy >, got high"),
        ("accuracy 3", "after accuracy, got 3"),
        ("accuracy>1 latency_ms<3", "expected and, or, or the end, got latency_ms<3"),
        ("(accuracy>1", "expected and, or, or ), got the end"),
        ("accuracy>1)", "got )"),
        ("> 3", "expected the name of a column, got > 3"),
        ("", "expected the name of a column, got the end"),
        ("accuracy>1 and", "expected the name of a column, got the end"),
        ("name < 3", "expected name == or != a text, got <"),
        ("name == 'open", "expected a comparison such as accuracy > 0.85, got 'open"),
        ("__import__('os')>1", "after __import__, got ('os')>1"),
        ("(" * 300, "expected at most 200 words and signs"),
    ],
)
def test_what_is_no_condition_is_told_with_what_stands_there(text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        parsed(text)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_all_names_that_are_no_column_are_told_with_the_nearest() -> None:
    with pytest.raises(BadInput) as caught:
        parsed("acuracy>1 and latency<3 and weight>2")
    fixes = [problem.fix for problem in caught.value.problems]
    assert fixes[:2] == ["Did you mean accuracy?", "Did you mean latency_ms?"] and "tables.md" in fixes[2]
