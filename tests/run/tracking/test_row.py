from __future__ import annotations

import json
from dataclasses import replace

import pytest
from attacked_results import attacked, measured, record

from rosearch.config.fitness import FitnessConfig
from rosearch.evolution.fitness import Yardstick
from rosearch.measurements import Latency
from rosearch.records.record import Failure, Record
from rosearch.run.tracking.row import Row, Rows

YARDSTICK = Yardstick(FitnessConfig(min_quality=0), 0.9)


def done(number: int = 1, outcomes: str = "ssbb", **changes: object) -> Record:
    return record(
        number, measured(attacked("deepwordbug", outcomes)), seconds={"distil": 2.0, "attack": 1.0}, **changes
    )


def row_of(given: Record) -> Row:
    return Rows(YARDSTICK).of(given)


def test_a_row_has_the_figures_of_its_record_below_its_role() -> None:
    given = done()
    assert given.measurements is not None
    fitness = YARDSTICK.score(given.measurements)
    figures = row_of(given).figures
    assert figures["candidate/fitness"] == figures["candidate/best_fitness"] == fitness.scalar
    assert [figures[f"candidate/objective/{name}"] for name in ("robustness", "accuracy", "efficiency")] == [
        *fitness.objectives
    ]
    expected = {"quality": 0.8, "under_attack": 0.5, "under_attack/deepwordbug": 0.5, "parameters": 1000.0}
    expected |= {"flops": 4000.0, "seconds": 3.0, "seconds/distil": 2.0, "failed": 0.0, "eligible": 1.0}
    assert {name: figures[f"candidate/{name}"] for name in expected} == expected


def test_latency_stands_by_its_batch_size() -> None:
    given = done()
    assert given.measurements is not None
    efficiency = replace(given.measurements.efficiency, latency=(Latency(1, 2.5, 2.0, 3.0), Latency(8, 9.0, 8.0, 9.5)))
    figures = row_of(replace(given, measurements=replace(given.measurements, efficiency=efficiency))).figures
    assert (figures["candidate/latency_ms/1"], figures["candidate/latency_ms/8"]) == (2.5, 9.0)


def test_a_failed_record_says_how_it_failed() -> None:
    failure = Failure("nan", "distil", "the loss is not finite")
    row = row_of(replace(done(), status="failed", measurements=None, failure=failure))
    assert row.figures["candidate/failed"] == 1.0 and "candidate/fitness" not in row.figures
    assert (row.words["failure"], row.words["failed in"], row.words["failed with"]) == (
        "nan",
        "distil",
        "the loss is not finite",
    )


def test_a_finalist_is_in_no_chart_of_the_candidates() -> None:
    row = row_of(done(role="finalist"))
    assert {name.partition("/")[0] for name in row.figures} == {"finalist"}
    assert "finalist/best_fitness" not in row.figures


def test_what_is_not_finite_is_left_out() -> None:
    given = done()
    assert given.measurements is not None
    bad = replace(given.measurements.efficiency, compression=float("nan"))
    row = row_of(replace(given, measurements=replace(given.measurements, efficiency=bad)))
    assert not {"candidate/compression", "candidate/fitness", "candidate/best_fitness"} & {*row.figures}
    assert row.words["missed gates"] == "finite"


def test_the_best_so_far_never_falls_and_takes_no_student_that_misses_a_gate() -> None:
    rows = Rows(Yardstick(FitnessConfig(min_quality=0, min_under_attack=0.2), 0.9))
    best = [rows.of(done(number, outcomes)).figures.get("candidate/best_fitness") for number, outcomes in OUTCOMES]
    assert best[0] is None and best[1] is not None and best[1:] == [best[1], best[1], best[3]]
    assert best[3] > best[1]


OUTCOMES = [(1, "bbbb"), (2, "ssbb"), (3, "sbbb"), (4, "ssss")]


@pytest.mark.parametrize("number", [1, 5])
def test_the_text_of_a_row_holds_all_of_it_with_the_whole_architecture(number: int) -> None:
    given = done(number)
    row = row_of(given)
    told = json.loads(row.text)
    assert told["genotype"] == json.loads(given.genotype.to_json())
    assert (told["number"], told["figures"], told["words"]) == (number, row.figures, row.words)
    assert row.words == {"status": "done", "id": given.id, "label": given.id[:8], "origin": "sample"}
