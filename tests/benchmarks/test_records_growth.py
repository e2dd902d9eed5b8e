from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.results import load_results
from tests.benchmarks.records_growth import FLAT, POPULATION, Run, go_on, replay
from tests.equal_records import HERE, environment


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path, 12 * POPULATION)
    made.fill(3 * POPULATION)
    return made


def test_the_figures_of_the_largest_size_are_flat_and_the_others_stand_beside_them() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.records_growth", "--sizes", "20,40", "--json"]
    done = subprocess.run(command, env=environment(HERE), cwd=HERE, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout)
    assert {*FLAT, "sizes"} == set(found)
    assert set(found["sizes"]["20"]) == set(FLAT)
    assert all(found[key] > 0 for key in FLAT if key != "driver_mib")


@pytest.mark.parametrize("generations", [1, 4])
def test_a_driver_reads_all_records_once_however_long_it_works(
    run: Run, generations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    records = Store.records
    with run.driver() as driver:
        monkeypatch.setattr(Store, "records", lambda self, *given: read.append(given) or records(self, *given))
        strategy = run.strategy()
        replay(driver, strategy)
        for _ in range(generations):
            go_on(driver, strategy)
    assert read == []


def test_weights_stay_for_the_front_and_the_best_of_all_records_also_after_a_resume(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: set[str] = set()
    monkeypatch.setattr(
        RunDirectory, "remove_students", lambda self, records: removed.update(one.id for one in records)
    )

    def kept() -> set[str]:
        return {record.id for record in load_results(run.directory).of("candidate")} - removed

    def worth_keeping() -> set[str]:
        results = load_results(run.directory)
        return {record.id for record in (*results.front, *results.ranking[:1])}

    for _ in range(2):  # the second driver resumes
        with run.driver() as driver:
            strategy = run.strategy()
            replay(driver, strategy)
            assert kept() == worth_keeping()
            for _ in range(3):
                go_on(driver, strategy)
                assert kept() == worth_keeping()


def test_a_driver_remembers_what_a_store_would_read(run: Run) -> None:
    def as_told(records: list[Record]) -> list[tuple[object, ...]]:
        return [(one.number, one.id, one.status, one.measurements, one.seconds) for one in records]

    with run.driver() as driver:
        strategy = run.strategy()
        replay(driver, strategy)
        go_on(driver, strategy)
        for generation in range(4):
            remembered = driver.recorded("candidate", generation)
            assert as_told(remembered) == as_told(driver.store.records("candidate", generation))
    assert all(one.status == "done" for one in remembered)
    assert remembered
