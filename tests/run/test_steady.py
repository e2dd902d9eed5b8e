"""A steady search: no worker waits for another, and the order of the outcomes is a part of the run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run.test_hours import Clock, HourEach
from small_run import Quiet, finished_count, outcomes, write_experiment

import rosearch.search
from rosearch.config.file import load_experiment
from rosearch.errors import BadInput, RunError, SearchAborted
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.registry import make_strategy
from rosearch.records.order import read_order
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.report.details import record_tables
from rosearch.report.summary import describe_run
from rosearch.run.backends.backend import Backend
from rosearch.run.backends.inline import InlineBackend
from rosearch.run.backends.replay import ReplayBackend, recorded
from rosearch.run.hours import Hours
from rosearch.run.results import Results, load_results
from rosearch.search import run_search
from rosearch.space.loading import load_space

SMALL = {"baselines": ["bert_mini"], "finalists": {"count": 1}}


def new_run(folder: Path, evolution: dict[str, Any] | None = None, **changes: Any) -> RunDirectory:
    folder.mkdir(exist_ok=True)
    steady = {"mode": "steady", "candidates": 12, "population": 4, **(evolution or {})}
    path = write_experiment(folder, evolution=steady, **changes)
    return RunDirectory.create(folder / "runs", load_experiment(path))


def order_of(results: Results) -> list[int]:
    with Store.open(results.run.store, read_only=True) as store:
        return read_order(store, results.of("candidate"))


def require_explained(results: Results) -> None:
    """Each candidate is what a strategy proposes that knows what was over, and what was begun, at that time."""
    experiment, candidates = results.experiment, results.of("candidate")
    assert results.teacher is not None
    yardstick = Yardstick.of(experiment.fitness, results.teacher)
    strategy = make_strategy(experiment.evolution, load_space(results.run.search_space), experiment.seed, yardstick)
    order, by_number, told = order_of(results), {record.number: record for record in candidates}, 0
    for record in candidates:
        for number in order[told : record.generation]:
            strategy.tell_one(by_number[number])
        told = record.generation
        proposal = strategy.ask_one()
        assert proposal is not None
        assert (proposal.genotype.id, proposal.origin, proposal.parents) == (record.id, record.origin, record.parents)
        strategy.begin(record)


def use(monkeypatch: pytest.MonkeyPatch, backend: Callable[[], Backend]) -> list[Backend]:
    """Gives searches a backend of the test; those that were made."""
    made: list[Backend] = []

    def make(*_: object) -> Backend:
        made.append(backend())
        return made[-1]

    monkeypatch.setattr(rosearch.search, "make_backend", make)
    return made


def shuffling(workers: int, seed: int = 1) -> ReplayBackend:
    """Jobs are really done, and over in an order that a seed draws."""
    rng = random.Random(seed)
    return ReplayBackend(workers, seconds=lambda result: rng.paretovariate(1.5))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The run of one worker, whose order of outcomes is that of its proposals."""
    return run_search(new_run(tmp_path_factory.mktemp("undisturbed"), **SMALL), Quiet())


@pytest.fixture(scope="module")
def parallel(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The run of four workers that take times of their own."""
    with pytest.MonkeyPatch.context() as patch:
        use(patch, lambda: shuffling(4))
        return run_search(new_run(tmp_path_factory.mktemp("parallel"), **SMALL), Quiet())


def test_a_steady_search_spends_its_budget_and_retrains_its_finalist(undisturbed: Results, parallel: Results) -> None:
    for results in (undisturbed, parallel):
        assert results.finished and {record.status for record in results.records} == {"done"}
        assert len({record.id for record in results.of("candidate")}) == len(results.of("candidate")) == 12
        assert next(record.id for record in results.of("finalist")) == results.ranking[0].id
        require_explained(results)
    assert order_of(undisturbed) == [record.number for record in undisturbed.of("candidate")]
    assert order_of(parallel) != sorted(order_of(parallel))


def test_no_worker_waits_while_there_are_candidates_to_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, parallel: Results
) -> None:
    made = use(monkeypatch, lambda: shuffling(4))
    results = run_search(new_run(tmp_path, **SMALL), Quiet())
    assert isinstance(made[0], ReplayBackend)
    spans = sorted(made[0].spans[record.number] for record in results.of("candidate"))
    ends = sorted(end for _, end in spans)
    assert [start for start, _ in spans[4:]] == ends[: len(spans) - 4]
    assert order_of(results) == order_of(parallel)  # and with the same seed: the same run
    assert outcomes(results.records) == outcomes(parallel.records)


def test_a_recorded_search_is_replayed_as_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, undisturbed: Results
) -> None:
    answer = recorded(undisturbed.records, str(undisturbed.run.path))
    use(monkeypatch, lambda: ReplayBackend(1, answer))
    replayed = run_search(new_run(tmp_path, **SMALL), Quiet())
    assert outcomes(replayed.records) == outcomes(undisturbed.records)
    assert order_of(replayed) == order_of(undisturbed)


def test_a_finished_search_is_left_as_it_is_by_another_resume(parallel: Results) -> None:
    watcher = Quiet()
    again = run_search(parallel.run, watcher)
    assert outcomes(again.records) == outcomes(parallel.records) and watcher.done == [] == watcher.titles


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_a_killed_search_goes_on_from_the_order_of_its_outcomes(
    workers: int, undisturbed: Results, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SIGKILL in the middle of its candidates, the baseline being the first record."""
    run = new_run(tmp_path, execution={"workers": workers}, **SMALL)
    command = [sys.executable, "-m", "rosearch.cli", "resume", str(run.path)]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while finished_count(run.store) < 6 and time.monotonic() < deadline and driver.poll() is None:
        time.sleep(0.005)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    killed = load_results(run)
    before, proposed = order_of(killed), outcomes(killed.measured("candidate"))
    assert len(before) >= 4
    use(monkeypatch, InlineBackend)
    found = run_search(run, Quiet())
    assert found.finished and order_of(found)[: len(before)] == before
    assert all(row in outcomes(found.records) for row in proposed)
    require_explained(found)
    if workers == 0:
        assert outcomes(found.records) == outcomes(undisturbed.records)


def test_a_lost_order_is_a_damaged_run(parallel: Results, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run_search(run, Quiet(), hours=1)
    with Store.open(run.store) as store:
        store.set_meta("order 0", order_of(load_results(run))[1:])
    with pytest.raises(RunError, match="damaged: 12 candidates are over, their order has 11"):
        run_search(run, Quiet())


def test_no_candidate_is_asked_for_after_the_hours_and_more_of_them_lead_to_the_same_search(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, undisturbed: Results
) -> None:
    clock = Clock()
    monkeypatch.setattr(Hours.__init__, "__defaults__", (clock,))
    run = new_run(tmp_path, {"hours": 4.5})
    stopped = run_search(run, HourEach(clock))
    assert len(stopped.of("candidate")) == 5 and stopped.budget.stopped == "hours"
    more = run_search(run, HourEach(clock), hours=40)
    assert more.budget.stopped == ""
    assert [r.id for r in more.of("candidate")] == [r.id for r in undisturbed.of("candidate")]


def test_patience_ends_a_steady_search_and_a_resume_does_not_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, lambda: shuffling(3))
    found = run_search(new_run(tmp_path, {"patience": 2, "candidates": 40}), Quiet())
    assert found.finished and found.budget.stopped == "patience" and len(found.of("candidate")) < 40
    again = run_search(found.run, Quiet())
    assert outcomes(again.records) == outcomes(found.records)


def test_weights_are_kept_for_the_front_alone(parallel: Results, tmp_path: Path) -> None:
    results = run_search(new_run(tmp_path, execution={"keep_students": "front"}), Quiet())
    kept = {record.id for record in results.of("candidate") if results.run.student_folder(record).is_dir()}
    assert kept == {record.id for record in results.front} | {results.ranking[0].id}


def test_candidates_that_all_fail_alike_stop_a_steady_search(tmp_path: Path) -> None:
    run = new_run(tmp_path, distillation={"learning_rate": 1e30}, execution={"stop_after_failures": 3})
    with pytest.raises(SearchAborted, match="the last 3 candidates all failed alike: nan"):
        run_search(run, Quiet())
    failed: list[Record] = [record for record in load_results(run).of("candidate") if record.status == "failed"]
    assert len(failed) == 3


def test_a_steady_search_is_told_without_generations(undisturbed: Results) -> None:
    data = describe_run(undisturbed)
    assert (data["mode"], data["generations"]) == ("steady", None)
    (fourth, *_) = (record for record in undisturbed.of("candidate") if record.generation == 3)
    (facts, *_) = record_tables(undisturbed, fourth)
    told = "candidate, proposed when 3 others were over, measured on validation rows"
    assert ("role", told) in [row.cells for row in facts.rows]


def test_latency_that_a_fitness_follows_from_is_not_timed_beside_candidates(tmp_path: Path) -> None:
    timed = {"efficiency": {"repeats": 2, "batch_sizes": [1]}}
    with pytest.raises(BadInput, match=r"evolution.mode: expected generational for fitness.efficiency latency: "):
        new_run(tmp_path, fitness={"efficiency": "latency"}, evaluation=timed)
