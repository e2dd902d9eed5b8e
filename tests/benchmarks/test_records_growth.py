from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from rosearch.records.details import Details
from rosearch.records.record import Record
from rosearch.records.rows import STATES, sealed
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.results import load_results
from rosearch.terminal.run import print_status
from tests.benchmarks import records_growth
from tests.benchmarks.records_growth import FLAT, POPULATION, Run, go_on, in_processes, replay


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path, 12 * POPULATION)
    made.fill(3 * POPULATION)
    return made


def test_the_figures_of_the_largest_size_are_flat_and_the_others_stand_beside_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = in_processes([20])
    assert set(honest["20"]) == set(FLAT)
    assert all(honest["20"][key] > 0 for key in FLAT if key != "driver_mib")
    larger = {key: 2 * value for key, value in honest["20"].items()}
    monkeypatch.setattr(
        records_growth, "in_processes", lambda sizes: dict(zip(map(str, sizes), (honest["20"], larger)))
    )
    monkeypatch.setattr(sys, "argv", ["records_growth", "--sizes", "20,40", "--json"])
    records_growth.main()
    assert json.loads(capsys.readouterr().out) == {**larger, "sizes": honest}


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


def test_a_driver_keeps_no_measurements_of_what_is_over(run: Run) -> None:
    with run.driver() as driver:
        strategy = run.strategy()
        replay(driver, strategy)
        for _ in range(2):
            go_on(driver, strategy)
        remembered = [one for generation in range(5) for one in driver.recorded("candidate", generation)]
    assert len(remembered) > 4 * POPULATION
    assert not any("measurements" in vars(one) for one in remembered)


def test_a_status_reads_the_measurements_of_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, read = Run(tmp_path, 12 * POPULATION), set[int]()
    run.fill(8 * POPULATION)
    honest = Details.read
    monkeypatch.setattr(Details, "read", lambda self, one, name: read.add(one.number) or honest(self, one, name))
    results = load_results(run.directory)
    with redirect_stdout(StringIO()) as printed:
        print_status(results)
    shown = {record.number for record in (*results.fitness.highest(50), *results.front)}
    assert read == shown and len(shown) < 4 * POPULATION
    assert f"the best 50 of {8 * POPULATION}" in printed.getvalue()


def test_a_status_says_the_same_of_records_whose_fitness_nobody_has_written_down(run: Run) -> None:
    def said() -> str:
        with redirect_stdout(StringIO()) as printed:
            print_status(load_results(run.directory))
        return printed.getvalue()

    before = said()
    with sqlite3.connect(run.directory.store) as connection:
        for number, *values in connection.execute("SELECT * FROM states").fetchall():
            row = sealed(STATES, dict(zip(STATES.c.keys(), (number, *values))) | {"fitness": ""})
            written = ("", row["digest"], number)
            connection.execute("UPDATE states SET fitness = ?, digest = ? WHERE number = ?", written)
    connection.close()
    assert said() == before
