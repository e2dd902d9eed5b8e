"""A search in hours: it ends between candidates, says so, and goes on with more of them to what it would have been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import rosearch
from small_run import Quiet, outcomes, write_experiment

from rosearch.config.file import load_experiment
from rosearch.errors import RunError
from rosearch.records.budget import Budget, note_budget, read_budget
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.report.summary import describe_run
from rosearch.run.hours import Hours, stop_in_words
from rosearch.run.results import Results, load_results
from rosearch.search import run_search


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all searches of a test."""
    made = Clock()
    monkeypatch.setattr(Hours.__init__, "__defaults__", (made,))
    return made


class HourEach(Quiet):
    """An observer under whom each candidate takes an hour."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock, self.notes = clock, list[str]()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def finished(self, record: Record) -> None:
        super().finished(record)
        self.clock.now += 3600


def new_run(folder: Path, **changes: Any) -> RunDirectory:
    folder.mkdir(exist_ok=True)
    path = write_experiment(folder, finalists={"count": 1}, **changes)
    return RunDirectory.create(folder / "runs", load_experiment(path))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The run without a limit."""
    return run_search(new_run(tmp_path_factory.mktemp("whole")), Quiet())


def candidates(results: Results) -> list[tuple[Any, ...]]:
    """Without their numbers: finalists that came before have some of them."""
    return [row[1:] for row in outcomes([record for record in results.of("candidate") if record.status == "done"])]


def test_no_candidate_starts_after_the_hours_and_more_of_them_lead_to_the_same_search(
    whole: Results, clock: Clock, tmp_path: Path
) -> None:
    observer = HourEach(clock)
    stopped = run_search(new_run(tmp_path, evolution={"hours": 3.5}), observer)
    assert candidates(stopped) == candidates(whole)[:4]  # the fourth began before the hours were over
    assert stopped.finished and len(stopped.measured("finalist")) == 1
    assert (stopped.overall.done, stopped.overall.of) == (5, 5)
    assert stopped.budget.stopped == "hours" and stopped.budget.worked_seconds == 4 * 3600
    sentence = stop_in_words(stopped)
    assert sentence.startswith("evolution.hours: 3.5 h are over, 4 of 7 candidates were tried")
    assert f"rosearch resume {stopped.run.path} --hours" in sentence and observer.notes == [sentence]

    again = run_search(stopped.run, HourEach(clock))
    assert outcomes(again.records) == outcomes(stopped.records) and again.budget == stopped.budget

    more = run_search(stopped.run, HourEach(clock), hours=20)
    assert candidates(more) == candidates(whole)
    assert more.finished and more.budget.stopped == "" and stop_in_words(more) == ""
    assert {record.id for record in more.measured("finalist")} >= {more.ranking[0].id}


def test_a_search_that_did_not_end_by_its_hours_is_given_no_more(whole: Results) -> None:
    with pytest.raises(RunError, match="expected a search that its hours have ended: its candidates were all tried"):
        run_search(whole.run, Quiet(), hours=20)
    assert load_results(whole.run).finished


def test_hours_that_are_over_already_are_refused(clock: Clock, tmp_path: Path) -> None:
    stopped = run_search(new_run(tmp_path, evolution={"hours": 1}), HourEach(clock))
    with pytest.raises(RunError, match="expected more than the 1 hours that it has worked, got 1: they are"):
        run_search(stopped.run, Quiet(), hours=1)
    printed = rosearch("resume", stopped.run.path, "--hours", "0.5", cwd=tmp_path, expect=5)
    assert "--hours: expected more than the 1 hours" in printed.stderr
    shown = rosearch("status", stopped.run.path, cwd=tmp_path).stdout
    assert "budget 7 candidates or 1 hours" in shown and "evolution.hours: 1 h are over, 1 of 7 candidates" in shown


def test_the_time_of_all_starts_is_counted_and_that_of_the_finalists_is_not(clock: Clock, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    with Store.open(run.store) as store:
        note_budget(store, Budget(worked_seconds=60.0))
        hours = Hours(store, run.experiment())
        with pytest.raises(KeyboardInterrupt), hours.running():
            clock.now += 30
            raise KeyboardInterrupt
        assert read_budget(store).worked_seconds == 90.0
        later = Hours(store, run.experiment())
        with later.running():
            clock.now += 10
            later.stop("")
            clock.now += 1000
        assert read_budget(store) == Budget(worked_seconds=100.0)


def test_the_time_is_noted_each_minute_while_candidates_run(clock: Clock, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    with Store.open(run.store) as store:
        hours = Hours(store, run.experiment())
        clock.now += 59
        assert hours.are_left() and read_budget(store).worked_seconds == 0
        clock.now += 1
        assert hours.are_left() and read_budget(store).worked_seconds == 60


def test_patience_ends_a_search_at_the_same_candidate_for_any_number_of_workers(whole: Results, tmp_path: Path) -> None:
    found = {
        workers: run_search(
            new_run(tmp_path / str(workers), evolution={"patience": 1}, execution={"workers": workers}), Quiet()
        )
        for workers in (0, 2)
    }
    assert outcomes(found[0].records) == outcomes(found[2].records)
    tried = len(found[0].of("candidate"))
    assert tried < 7 and candidates(found[0]) == candidates(whole)[:tried]
    assert describe_run(found[0])["stopped_by"] == "patience" and found[0].finished
    assert stop_in_words(found[0]).startswith("evolution.patience: the best fitness has not risen for 1 candidates")


def test_a_budget_of_another_shape_is_a_damaged_run(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    with Store.open(run.store) as store:
        store.set_meta("budget", {"worked_seconds": -1})
        with pytest.raises(RunError, match="budget"):
            read_budget(store)


def test_hours_without_end_are_a_misuse(tmp_path: Path) -> None:
    refused = rosearch("resume", tmp_path, "--hours", "inf", cwd=tmp_path, expect=2)
    assert "expected a number of hours, got inf" in refused.stderr
