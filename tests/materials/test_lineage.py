"""Searches in which children start with their parents' weights: records, pruning, resume, damage, finalists."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from damaged_files import flip
from run.test_steady import order_of, require_explained, shuffling, use
from small_run import Quiet, finished_count, outcomes, write_encoder_experiment, write_experiment

from rosearch.candidate import run_candidate
from rosearch.config.file import load_experiment
from rosearch.errors import MachineFault
from rosearch.materials.kind import kind_of
from rosearch.materials.life import CandidateJob
from rosearch.materials.lineage import Parent, digest_of
from rosearch.materials.suites import attack_seed, suite_of
from rosearch.measurements import Lineage, Quality, TeacherCost, TeacherFacts, to_json
from rosearch.progress import silent
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results
from rosearch.search import cache_folder, run_search
from rosearch.space.known import known_architecture
from rosearch.space.loading import load_space

STEPS = 4


def new_run(folder: Path, inherit: str = "parent", **changes: Any) -> RunDirectory:
    settings: dict[str, Any] = {
        "distillation": {"inherit": inherit},
        "evolution": {"candidates": 9, "population": 3, "elite": 1, **changes.pop("evolution", {})},
        "execution": {"keep_students": "front", **changes.pop("execution", {})},
        "finalists": {"count": 1, "replicates": 1},
    }
    return RunDirectory.create(folder / "runs", load_experiment(write_experiment(folder, **settings, **changes)))


def lineage(record: Record) -> Lineage:
    assert record.measurements is not None and record.measurements.lineage is not None
    return record.measurements.lineage


class Watcher(Quiet):
    """Says of each child whether its parent's weights were there as it started; ends the run before a number."""

    def __init__(self, run: RunDirectory, stop: int = 0) -> None:
        super().__init__()
        self.run, self.stop = run, stop
        self.there: list[bool] = []
        self.kept: list[int] = []

    def started(self, record: Record) -> None:
        if record.number == self.stop:
            raise KeyboardInterrupt
        self.kept.append(len(list(self.run.students.iterdir())))
        self.there += [
            (self.run.students / parent).is_dir() for parent in record.parents[:1] if record.role == "candidate"
        ]


@pytest.fixture(scope="module")
def watcher(tmp_path_factory: pytest.TempPathFactory) -> Watcher:
    return Watcher(new_run(tmp_path_factory.mktemp("undisturbed")))


@pytest.fixture(scope="module")
def undisturbed(watcher: Watcher) -> Results:
    return run_search(watcher.run, watcher)


def children(results: Results) -> list[tuple[Record, Record]]:
    by_id = {record.id: record for record in results.of("candidate")}
    return [(child, by_id[child.parents[0]]) for child in by_id.values() if child.parents]


def require_lineages(results: Results) -> None:
    assert results.finished and {record.status for record in results.records} == {"done"}
    assert len(children(results)) >= 4
    for child, parent in children(results):
        told, before = lineage(child), lineage(parent)
        assert (told.origin, told.parent, told.parent_weights) == ("parent", parent.id, before.weights)
        assert (told.depth, told.inherited_steps) == (before.depth + 1, STEPS + before.inherited_steps)
        assert 0 < told.share <= 1 and len(told.nodes) == len(child.genotype.nodes)
    for record in results.records:
        if not record.parents or record.role == "finalist":
            assert replace(lineage(record), weights="") == Lineage("", STEPS)


def test_a_child_starts_with_the_weights_that_its_parent_ended_with(undisturbed: Results) -> None:
    require_lineages(undisturbed)
    best = undisturbed.ranking[0]
    assert digest_of(undisturbed.run.student_folder(best)) == lineage(best).weights


def test_weights_of_parents_to_be_stay_while_they_may_breed_and_no_longer(
    watcher: Watcher, undisturbed: Results
) -> None:
    assert all(watcher.there) and len(watcher.there) == len(children(undisturbed))
    expected = {record.id for record in (*undisturbed.front, undisturbed.best())}
    assert {one.id for one in undisturbed.of("candidate") if undisturbed.run.student_folder(one).is_dir()} == expected


def test_a_finalist_is_trained_as_in_a_search_without_inheritance(undisturbed: Results) -> None:
    finalist, experiment = undisturbed.of("finalist")[0], undisturbed.experiment
    none = experiment.model_copy(
        update={"distillation": experiment.distillation.model_copy(update={"inherit": "none"})}
    )
    assert undisturbed.teacher is not None and finalist.measurements is not None
    job = CandidateJob(
        none,
        cache_folder(undisturbed.run),
        undisturbed.teacher,
        finalist.genotype,
        finalist.seed,
        undisturbed.run.path.parent / "again",
        suite_of(none, "test"),
        attack_seed(none, "test"),
        split="test",
    )
    found = run_candidate(job, silent).measurements
    assert found is not None and found.lineage is None
    assert found == replace(finalist.measurements, lineage=None)
    assert digest_of(job.student_folder) == lineage(finalist).weights


def test_other_finishing_orders_give_the_same_records(
    undisturbed: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, lambda: shuffling(3))
    assert outcomes(run_search(new_run(tmp_path), Quiet()).records) == outcomes(undisturbed.records)


@pytest.fixture(scope="module")
def halted(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, Record]:
    """A run that ended before its last generation, whose first child is given."""
    run = new_run(tmp_path_factory.mktemp("halted"))
    with pytest.raises(KeyboardInterrupt):
        run_search(run, Watcher(run, stop=6))
    with run.open_store(read_only=True) as store:
        return run, next(record for record in store.records() if record.number >= 6 and record.parents)


@pytest.mark.parametrize("harm", ["missing", "damaged", "another's"])
def test_a_parents_weights_that_are_lost_stop_the_run_and_are_not_replaced_by_fresh_ones(
    harm: str, halted: tuple[RunDirectory, Record], tmp_path: Path
) -> None:
    run, child = halted
    folder, aside = run.students / child.parents[0], tmp_path / "aside"
    folder.rename(aside)
    if harm != "missing":
        subprocess.run(["cp", "-r", aside, folder], check=True)
    if harm == "damaged":
        flip(folder / "model.safetensors", -5)
    if harm == "another's":
        other = next(path for path in run.students.iterdir() if path not in (folder,) and not path.name.startswith("."))
        subprocess.run(["cp", other / "model.safetensors", folder / "model.safetensors"], check=True)
    what = "are missing" if harm == "missing" else "are not those that its record tells of"
    told = rf"{child.parents[0]}: the weights of {child.parents[0][:8]}, from which a child starts, {what}"
    with pytest.raises(
        MachineFault, match=rf"stopped: .*students/{told}: put the folder back .*go on: `rosearch resume"
    ):
        run_search(run, Quiet())
    subprocess.run(["rm", "-rf", folder], check=True)
    aside.rename(folder)


def test_a_run_that_was_cut_short_goes_on_to_the_same_records(
    halted: tuple[RunDirectory, Record], undisturbed: Results
) -> None:
    found = run_search(halted[0], Quiet())
    assert outcomes(found.records) == outcomes(undisturbed.records)
    names = {path.name for path in found.run.students.iterdir()}
    assert names == {path.name for path in undisturbed.run.students.iterdir()}


def test_a_steady_search_inherits_and_prunes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, lambda: shuffling(3))
    run = new_run(tmp_path, evolution={"mode": "steady", "candidates": 12})
    watching = Watcher(run)
    found = run_search(run, watching)
    require_lineages(found)
    require_explained(found)
    assert all(watching.there) and max(watching.kept) < 12 and order_of(found)
    kept = {one.id for one in found.of("candidate") if run.student_folder(one).is_dir()}
    assert kept == {record.id for record in (*found.front, found.best())}


def test_with_rungs_a_child_starts_with_what_its_parent_ended_with_too(tmp_path: Path) -> None:
    found = run_search(new_run(tmp_path, evolution={"rungs": [0.5], "candidates": 6}), Quiet())
    assert children(found) and found.finished
    for child, parent in children(found):
        assert child.measurements is not None and child.measurements.rungs
        told, before = lineage(child), lineage(parent)
        assert told.parent_weights == before.weights
        assert told.inherited_steps == child.measurements.training.steps + before.inherited_steps


def test_without_inheritance_a_record_says_nothing_of_it(tmp_path: Path) -> None:
    found = run_search(new_run(tmp_path, "none", evolution={"candidates": 3}), Quiet())
    for record in found.records:
        assert record.measurements is not None and "lineage" not in json.loads(to_json(record.measurements))


def test_encoders_start_with_their_parents_weights(tmp_path: Path) -> None:
    experiment = load_experiment(write_encoder_experiment(tmp_path, distillation={"inherit": "parent"}))
    space = load_space(experiment.search_space)
    kind_of(experiment).prepare(experiment, space, tmp_path / "cache", silent)
    genotype = space.fit(known_architecture("bert_mini").genotype)
    facts = TeacherFacts(Quality("fidelity", 1.0, 1), TeacherCost(1, 1, 1), 32, 2)
    job = CandidateJob(
        experiment,
        tmp_path / "cache",
        facts,
        genotype,
        1,
        tmp_path / "students" / "parent",
        suite_of(experiment, "validation"),
        attack_seed(experiment),
        latency=(),
    )
    parent = run_candidate(job, silent).measurements
    assert parent is not None and parent.lineage is not None
    begun = Parent(genotype.id, job.student_folder, parent.lineage)
    child = run_candidate(
        replace(job, parent=begun, student_folder=tmp_path / "students" / "child"), silent
    ).measurements
    assert child is not None and child.lineage is not None
    assert (child.lineage.parent_weights, child.lineage.share) == (parent.lineage.weights, 1.0)
    assert child.training.final_loss < parent.training.final_loss


def test_students_start_with_the_teachers_layers(tmp_path: Path) -> None:
    found = run_search(new_run(tmp_path, "teacher", evolution={"candidates": 3}), Quiet())
    told = [lineage(record) for record in found.records]
    assert {(one.origin, one.depth, one.inherited_steps) for one in told} == {("teacher", 0, STEPS)}
    for record, one in zip(found.records, told, strict=True):
        assert [bool(layer) for layer in one.nodes] == [
            node.op in ("attention", "ffn") for node in record.genotype.nodes
        ]


@pytest.mark.slow
@pytest.mark.parametrize("moment", [2, 4, 6])
def test_a_killed_search_resumes_to_the_same_records(moment: int, undisturbed: Results, tmp_path: Path) -> None:
    run = new_run(tmp_path, execution={"workers": 2})
    driver = subprocess.Popen([sys.executable, "-m", "rosearch.cli", "resume", str(run.path)], start_new_session=True)
    while finished_count(run.store) < moment and driver.poll() is None:
        time.sleep(0.02)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    assert outcomes(run_search(run, Quiet()).records) == outcomes(undisturbed.records)
