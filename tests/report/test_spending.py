from __future__ import annotations

from pathlib import Path

from attacked_results import attacked, measured, record, results_of

from rosearch.records.record import Failure
from rosearch.report.spending import failures_table, spending_chart, spending_table
from rosearch.run.results import Results

FOUND = measured(attacked("deepwordbug", "sb"))


def test_time_is_told_by_stage_with_share_and_mean(tmp_path: Path) -> None:
    seconds = [{"distil": 6.0, "attack": 2.0}, {"distil": 2.0}]
    results = results_of(tmp_path, *(record(n, FOUND, seconds=one) for n, one in enumerate(seconds, start=1)))
    assert spending_table(results).texts() == [
        ("distil", "8.0 s", "80.0%", "4.00 s"),
        ("attack", "2.0 s", "20.0%", "2.00 s"),
    ]
    chart = spending_chart(results)
    assert chart.y.names == ("distil", "attack") and chart.text == "10.0 s of workers: distil 80%, attack 20%."


def test_before_anything_has_taken_time_there_is_nothing_to_draw(tmp_path: Path) -> None:
    assert spending_chart(results_of(tmp_path)).empty and spending_table(results_of(tmp_path)).rows == ()


def test_failures_are_counted_by_kind_and_stage(tmp_path: Path, made: Results) -> None:
    lost = {"status": "failed", "measurements": None}
    kinds = ["nan", "oom", "nan", "nan", "nan"]
    records = [
        record(n, FOUND, **lost, failure=Failure(kind, "distil", f"message {n}"))  # type: ignore[arg-type]
        for n, kind in enumerate(kinds, start=1)
    ]
    assert failures_table(results_of(tmp_path, *records)).texts() == [
        ("nan", "distil", "4", "#1, #3, #4 and 1 more", "message 1"),
        ("oom", "distil", "1", "#2", "message 2"),
    ]
    assert [texts[3] for texts in failures_table(made).texts()] == ["#31"]
