"""A search with rungs: short trainings first, of which the better ones go on as if they had never paused."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from run.test_hours import Clock, HourEach
from small_run import Quiet, outcomes, write_experiment

import rosearch.search
from rosearch.config.file import load_experiment
from rosearch.records.record import Outcome, Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.records.waiting import WAITING, read_waiting
from rosearch.report.details import record_tables
from rosearch.report.overview import ranked_table, rungs_line
from rosearch.report.summary import describe_record, describe_run
from rosearch.report.tables import records_table
from rosearch.run.backends.replay import ReplayBackend
from rosearch.run.doctor import examine
from rosearch.run.hours import Hours
from rosearch.run.results import Results, load_results
from rosearch.run.rungs import job_up_to
from rosearch.search import run_search

RUNGS = {"rungs": [0.25, 0.5], "rung_keep": 0.5, "rung_slack": None}
EVOLUTION = {"strategy": "random", "candidates": 6, "population": 4, "elite": 1}
STEPS = 8


def new_run(folder: Path, evolution: dict[str, Any], **changes: Any) -> RunDirectory:
    long = {"max_steps": STEPS, "epochs": 1}
    path = write_experiment(folder, distillation=long, evolution={**EVOLUTION, **evolution}, **changes)
    return RunDirectory.create(folder / "runs", load_experiment(path))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A random search in which every candidate is trained to its end."""
    return run_search(new_run(tmp_path_factory.mktemp("whole") / "whole", {"candidates": 4}), Quiet())


@pytest.fixture(scope="module")
def watcher() -> Quiet:
    return Quiet()


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory, watcher: Quiet) -> Results:
    """The same search with rungs."""
    return run_search(new_run(tmp_path_factory.mktemp("climbed") / "climbed", RUNGS), watcher)


def steps(record: Record) -> int:
    assert record.measurements is not None
    return record.measurements.training.steps


def without_rungs(record: Record) -> Record:
    assert record.measurements is not None
    return replace(record, measurements=replace(record.measurements, rungs=()))


def test_two_rungs_and_the_rest_are_one_training_bit_for_bit(whole: Results, climbed: Results) -> None:
    """The random strategy proposes the same in both; what was promoted twice has the same measurements in both."""
    promoted_twice = [record for record in climbed.records[:4] if steps(record) == STEPS]
    same = [whole.records[record.number - 1] for record in promoted_twice]
    assert len(promoted_twice) == 1
    assert outcomes(list(map(without_rungs, promoted_twice))) == outcomes(same)
    for record, other in zip(promoted_twice, same, strict=True):
        weights = [results.run.student_folder(record) / "model.safetensors" for results in (climbed, whole)]
        assert weights[0].read_bytes() == weights[1].read_bytes() and record.id == other.id


def test_each_rung_of_a_generation_promotes_its_share(climbed: Results, watcher: Quiet) -> None:
    for generation, expected in enumerate(([2, 2, 4, STEPS], [2, STEPS])):
        made = [record for record in climbed.records if record.generation == generation]
        assert sorted(map(steps, made)) == expected
    assert [title.partition(", ")[2] for title in watcher.titles[:3]] == ["rung 1 of 2", "rung 2 of 2", "promoted"]
    with Store.open(climbed.run.store, read_only=True) as store:
        assert store.get_meta(WAITING) == {}


def test_every_rung_stands_in_the_record_and_says_what_was_decided(climbed: Results) -> None:
    for record in climbed.records:
        found = record.measurements
        assert found is not None
        assert [rung.steps for rung in found.rungs] == [2, 4][: len(found.rungs)]
        assert [rung.share for rung in found.rungs] == [0.25, 0.5][: len(found.rungs)]
        stopped = found.training.steps < STEPS
        assert [rung.promoted for rung in found.rungs] == [True] * (len(found.rungs) - stopped) + [False] * stopped
        assert found.stopped_at == (len(found.rungs) if stopped else 0)


def test_a_stopped_student_neither_wins_nor_is_on_the_front(climbed: Results) -> None:
    stopped = {record.id for record in climbed.records if steps(record) < STEPS}
    assert not stopped & {record.id for record in (*climbed.front, *climbed.ranking)}
    for record in climbed.records:
        assert ("rung" in climbed.fitness[record.number].gates) == (record.id in stopped)
    assert {record.id for record in climbed.fitness.highest(2)}.isdisjoint(stopped)  # those are listed last


def test_a_stopped_student_says_so_wherever_it_is_shown(climbed: Results) -> None:
    first = min(climbed.records, key=steps)
    rows = ranked_table(climbed).texts()
    assert next(row[1] for row in rows if row[0].startswith(f"#{first.number} ")) == "rung 1"
    brief = next(row for row in describe_run(climbed)["candidates"] if row["number"] == first.number)
    assert brief["rung"] == 1 and "rung" in brief["gates_missed"]
    assert [rung["steps"] for rung in describe_record(climbed, first)["measurements"]["rungs"]] == [2]
    shown = dict(row[:2] for row in record_tables(climbed, first)[0].texts())
    assert shown["rung 1"].startswith("stopped: all figures here are those of this rung; after 2 steps")
    table = records_table(climbed.records).set_index("number")
    assert rungs_line(climbed).startswith("Rungs: 4 of 6 candidates were stopped")
    assert table["rung"].notna().sum() == 4 and table["rung"][first.number] == 1


def test_records_are_the_same_in_whatever_order_workers_are_done(climbed: Results, tmp_path: Path) -> None:
    rng = random.Random(1)
    with pytest.MonkeyPatch.context() as patch:
        backend = ReplayBackend(4, seconds=lambda result: rng.paretovariate(1.5))
        patch.setattr(rosearch.search, "make_backend", lambda *_: backend)
        parallel = run_search(new_run(tmp_path / "parallel", RUNGS), Quiet())
    assert outcomes(parallel.records) == outcomes(climbed.records)


class Killer(Quiet):
    """An observer that kills its process at a moment, after so many of its kind."""

    def __init__(self, kind: str, count: int) -> None:
        super().__init__()
        self.kind, self.left = kind, count

    def _at(self, kind: str) -> None:
        self.left -= kind == self.kind
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)

    def finished(self, record: Record) -> None:
        self._at("stopped" if record.status == "done" else "measured")

    def stage(self, record: Record, stage: str, done: int, total: int) -> None:
        self._at(stage if done == total else "")


def killed(run: RunDirectory, kind: str, count: int) -> None:
    """Goes on with a search in a process that is killed there."""
    if (child := os.fork()) == 0:
        with suppress(BaseException):
            run_search(run, Killer(kind, count))
        os._exit(1)  # it was not
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_search_that_is_killed_at_its_rungs_goes_on_to_the_same_records(climbed: Results, tmp_path: Path) -> None:
    run = new_run(tmp_path / "killed", RUNGS)
    killed(run, "measured", 2)  # two wait at the first rung
    assert len(waiting_of(run)) == 2 and len(list((run.path / "unfinished").iterdir())) == 2
    assert load_results(run).overall.title == "generation 0, rung 1 of 2"
    assert not [one for one in examine(run.path, dry_run=True).findings if one.kind == "checkpoint"]
    killed(run, "distil", 1)  # before a checkpoint is written
    killed(run, "efficiency", 1)  # it is written, and nothing is recorded
    killed(run, "stopped", 1)  # one of two is stopped
    killed(run, "measured", 1)
    assert load_results(run).overall.title == "generation 0, rung 2 of 2"
    killed(run, "efficiency", 1)  # at the next rung, or behind the last
    again = run_search(run, Quiet())
    assert outcomes(again.records) == outcomes(climbed.records)
    assert not (run.path / "unfinished").exists()
    run.unfinished_folder(again.records[0]).mkdir(parents=True)  # as if a kill had come just before its removal
    (run.path / "unfinished" / "0123456789abcdef").mkdir()
    assert [one.kind for one in examine(run.path).findings] == ["checkpoint", "checkpoint without record"]
    assert examine(run.path).findings == []


def test_a_search_whose_hours_end_between_two_rungs_goes_on_with_more_of_them(
    climbed: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(Hours.__init__, "__defaults__", (clock,))
    run = new_run(tmp_path / "hours", RUNGS)
    ended = run_search(run, HourEach(clock), hours=2.5)
    assert ended.finished and ended.budget.stopped == "hours" and ended.counts["candidate", "pending"] == 4
    assert not [one for one in examine(run.path).findings if one.kind == "checkpoint"]
    assert outcomes(run_search(run, Quiet(), hours=100).records) == outcomes(climbed.records)


def waiting_of(run: RunDirectory) -> dict[str, Outcome]:
    with Store.open(run.store, read_only=True) as store:
        return read_waiting(store)


def test_what_is_lost_of_a_rung_costs_time_and_changes_nothing(climbed: Results, tmp_path: Path) -> None:
    """A checkpoint is made anew; one that is further than the rung that is measured again is not gone on from."""
    run = new_run(tmp_path / "lost", RUNGS)

    class Careless(Quiet):
        def batch(self, title: str, records: Sequence[Record]) -> None:
            super().batch(title, records)
            if "rung 2" in title:
                run.remove_unfinished(records[0])
            if title == "generation 1, promoted":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_search(run, Careless())
    with Store.open(run.store) as store:
        store.set_meta(WAITING, {})
    assert outcomes(run_search(run, Quiet()).records) == outcomes(climbed.records)


def test_an_evolved_generation_breeds_from_stopped_students_only_where_too_few_are_finished(tmp_path: Path) -> None:
    """One of four is trained to its end; half a population may breed, so that the best stopped one does as well."""
    evolution = RUNGS | {"strategy": "rosearch", "rung_keep": 0.25, "candidates": 7}
    front = {"workers": 0, "keep_students": "front"}
    results = run_search(new_run(tmp_path / "bred", evolution, execution=front), Quiet())
    first = [record for record in results.records if record.generation == 0]
    (finished,) = (record for record in first if steps(record) == STEPS)
    parents = {parent for record in results.records if record.generation == 1 for parent in record.parents}
    best_stopped = min(
        (record for record in first if record.id != finished.id),
        key=lambda record: results.fitness[record.number].violation,
    )
    assert parents <= {finished.id, best_stopped.id}
    kept = {path.name for path in results.run.students.iterdir()}
    assert kept <= {record.id for record in results.records if steps(record) == STEPS}  # a stopped one's are pruned


def test_an_attack_at_a_rung_has_as_large_a_share_of_the_rows_and_is_not_given_up(tmp_path: Path) -> None:
    robustness = {"search": {"rows": 50, "hopeless": {"below": 0.2}}}
    experiment = load_experiment(write_experiment(tmp_path, "classification", evaluation={"robustness": robustness}))
    run = SimpleNamespace(student_folder=lambda record: tmp_path, unfinished_folder=lambda record: tmp_path / "half")
    driver = SimpleNamespace(experiment=experiment, run=run, cache=tmp_path, teacher=None)
    record = SimpleNamespace(genotype=None, seed=1)
    below, end = (job_up_to(driver, record, share) for share in (0.25, 1.0))  # type: ignore[arg-type]
    assert (below.suite.rows, below.suite.hopeless, below.until) == (13, None, 0.25)
    assert (end.suite, end.until) == (experiment.evaluation.robustness.search, 1.0)
    assert below.checkpoint is not None and below.checkpoint.last_step(315) == 79
