from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from attacked_results import attacked, measured, record, results_of

from rosearch.report.course import course_lines, overall_line, stage_words, time_words, work_lines
from rosearch.run.course import Overall
from rosearch.run.results import Results
from rosearch.run.standing import AtWork, Stage, Standing, StandingFile

WHOLE = Overall(3, 4, "generation 12", 107, 120, 104, 0.7123, 4800.0)
STANDING = Standing(
    100.0, (Stage("starting workers", 0, 1, 97.0),), (AtWork(12, "3fa9c2d1", Stage("attack pruthi", 12, 50, 95.0)),)
)


def test_one_line_tells_the_stage_the_students_the_best_and_the_time_left_in_80_letters() -> None:
    line = overall_line(WHOLE)
    assert line == "stage 3 of 4: generation 12 | 107 of 120 done | best #104 0.712 | 1 h 20 min left"[: len(line)]
    assert len(line) <= 81


def test_time_runs_on_between_two_estimates_and_nothing_is_promised_without_one() -> None:
    assert overall_line(WHOLE, elapsed=4700).endswith(" | 2 min left")
    assert overall_line(WHOLE, elapsed=9999).endswith(" | a few seconds left")
    assert "left" not in overall_line(replace(WHOLE, seconds_left=None))
    assert overall_line(replace(WHOLE, best=None, done=120)) == "stage 3 of 4: generation 12 | 120 of 120 done"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2, "5 s"), (41, "40 s"), (55, "1 min"), (200, "3 min"), (3570, "1 h"), (4810, "1 h 20 min"), (36000, "10 h")],
)
def test_an_estimate_is_written_as_exactly_as_it_is_known(seconds: float, words: str) -> None:
    assert time_words(seconds) == words


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("open", "loading data and teacher"),
        ("attack pruthi", "attack pruthi"),
        ("teacher, compile pwws", "teacher, compiling the plan of pwws"),
        ("held out", "held out"),
    ],
)
def test_a_stage_reads_as_english(stage: str, words: str) -> None:
    assert stage_words(stage) == words


def test_who_is_attacked_is_told_with_number_and_attack() -> None:
    lines = ["starting workers, for 6 s", "#12 3fa9c2d1: attack pruthi 12 of 50, for 8 s"]
    assert work_lines(STANDING, 103.0) == lines
    assert work_lines(replace(STANDING, others=936), 103.0) == [*lines, "936 more students at work"]


@pytest.fixture
def going(tmp_path: Path) -> Results:
    results = replace(results_of(tmp_path, record(1, measured(attacked("deepwordbug", "sb")))), finished=False)
    StandingFile(results.run.standing).put(STANDING)
    return results


def test_a_run_at_work_tells_what_its_driver_does(going: Results) -> None:
    with going.run.lock():
        StandingFile(going.run.standing).put(STANDING)
        _, own, student = course_lines(going, 103.0)
    assert own == "  starting workers, for 6 s" and student.startswith("  #12 3fa9c2d1: attack pruthi")


def test_a_killed_run_tells_where_it_was(going: Results) -> None:
    told = course_lines(going, 160.0)
    assert told[1] == "  killed 60 s ago, at: starting workers, for 3 s; #12 3fa9c2d1: attack pruthi 12 of 50, for 5 s"


def test_without_the_file_a_run_is_told_by_its_records(going: Results) -> None:
    going.run.standing.write_text("{")
    assert len(course_lines(going, 160.0)) == 1
