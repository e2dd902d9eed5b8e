from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from attacked_results import attacked, measured, record, results_of

from rosearch.errors import RunError
from rosearch.run.results import Results

FOUND = measured(attacked("deepwordbug", "sb"))


@pytest.fixture
def results(tmp_path: Path) -> Results:
    baseline = replace(record(1, FOUND), role="baseline", name="bert_mini")
    candidates = [record(2, FOUND), record(3, FOUND)]
    finalist = replace(record(3, FOUND), number=14, role="finalist")
    return results_of(tmp_path, baseline, *candidates, finalist)


@pytest.mark.parametrize("number", ["3", "#3", "00003"])
def test_up_to_five_digits_are_the_number_that_progress_and_tables_print(number: str, results: Results) -> None:
    assert results.find(number) is results.records[2]
    assert results.find("14").role == "finalist"


def test_an_id_is_meant_from_six_letters_on_and_a_baseline_by_its_name(results: Results) -> None:
    wanted = results.records[1]
    for letters in (6, 8, 16):
        assert results.find(wanted.id[:letters]) is wanted
    assert results.find(f"{wanted.id[:8]}.0") is wanted and results.find("bert_mini") is results.records[0]


def test_six_digits_are_letters_of_an_id(results: Results) -> None:
    with pytest.raises(RunError, match="no record begins with '123456'"):
        results.find("123456")


@pytest.mark.parametrize("short", ["3fa9c", "", "#", "3x", "bert"])
def test_fewer_letters_are_refused_with_what_would_do(short: str, results: Results) -> None:
    with pytest.raises(RunError, match="expected a number, a baseline's name, or 6 letters of an id at least, got"):
        results.find(short)


def test_a_number_that_is_not_there_is_refused_with_those_that_are(results: Results, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected the number of a record, got 99: its numbers are 1 to 14"):
        results.find("99")
    with pytest.raises(RunError, match="it has no record yet"):
        replace(results, records=()).find("1")
