from __future__ import annotations

from pathlib import Path

from benchmarks import run_opening

from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import load_results


def test_a_run_that_is_timed_holds_as_many_measured_records_as_were_asked_for(tmp_path: Path) -> None:
    run_opening.make(tmp_path, 3)
    (run,) = tmp_path.glob("many-*")
    records = load_results(RunDirectory.open(run)).records
    assert [record.status for record in records] == ["done"] * 3
    assert all(record.measurements is not None and len(record.measurements.attacks) == 2 for record in records)
    assert run_opening.opened(tmp_path) > 0
