from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import yaml
from filelock import FileLock
from safetensors import SafetensorError
from small_run import Quiet, finished_count, outcomes, write_experiment
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

import rosearch.run.driver
import rosearch.training.outputs
from rosearch.config.file import load_experiment
from rosearch.errors import MachineFault, RunError, SearchAborted
from rosearch.export.record import export_record
from rosearch.materials.life import CandidateJob
from rosearch.progress import Progress
from rosearch.records.record import Failure, Outcome, Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.report.tables import records_table
from rosearch.run.results import Results, load_results
from rosearch.search import retrain, run_search
from rosearch.space.loading import load_space

FULL = {"baselines": ["bert_mini"], "finalists": {"count": 1, "replicates": 2}}


def run_whole(folder: Path, runs: str = "runs", **changes: object) -> Results:
    folder.mkdir(exist_ok=True)
    path = folder / "experiment.yaml"
    if not path.exists():
        path = write_experiment(folder, **changes)  # type: ignore[arg-type]
    return run_search(RunDirectory.create(folder / runs, load_experiment(path)), Quiet())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The run that disturbed ones must equal."""
    return run_whole(tmp_path_factory.mktemp("undisturbed"), **FULL)


def test_a_search_spends_its_budget_and_measures_baselines_and_finalists(undisturbed: Results) -> None:
    assert undisturbed.finished
    assert [record.status for record in undisturbed.records] == ["done"] * len(undisturbed.records)
    assert len(undisturbed.of("candidate")) == 7
    assert [record.name for record in undisturbed.of("baseline")] == ["bert_mini"]
    assert len({record.id for record in undisturbed.of("candidate")}) == 7
    finalists = undisturbed.of("finalist")
    assert [(r.id, r.replicate) for r in finalists] == [
        (chosen.id, replicate)
        for chosen in (undisturbed.ranking[0], undisturbed.of("baseline")[0])
        for replicate in (0, 1)
    ]
    assert len({record.seed for record in undisturbed.records}) == len(undisturbed.records)


def test_the_teacher_is_measured_as_the_finalists_are(undisturbed: Results) -> None:
    found, finalist = undisturbed.teacher_on_test, undisturbed.of("finalist")[0].measurements
    assert found is not None and finalist is not None and undisturbed.teacher is not None
    assert found.quality.n == finalist.quality.n and found.quality != undisturbed.teacher.quality
    assert found.cost == undisturbed.teacher.cost


def test_a_finished_run_is_left_as_it_is_by_another_resume(undisturbed: Results) -> None:
    watcher = Quiet()
    again = run_search(undisturbed.run, watcher)
    assert outcomes(again.records) == outcomes(undisturbed.records)
    assert watcher.done == []


def test_a_pick_is_retrained_once_as_finalists_are_and_no_record_of_the_search_changes(
    undisturbed: Results, tmp_path: Path
) -> None:
    shutil.copytree(undisturbed.run.path.parent, tmp_path / "runs")
    run = RunDirectory.open(tmp_path / "runs" / undisturbed.run.path.name)
    pick = undisturbed.ranking[1]
    results = retrain(run, pick.number)
    again = results.retrained(pick)
    assert (again.role, again.id, again.replicate) == ("finalist", pick.id, 0) and again.seed != pick.seed
    assert again.measurements is not None and again.measurements.quality.n == 24  # the test split
    assert len(results.of("finalist")) == len(undisturbed.of("finalist")) + 2
    before = outcomes(undisturbed.records)
    assert outcomes(results.records)[: len(before)] == before and results.finished
    assert retrain(run, pick.number).of("finalist") == results.of("finalist")
    with run.open_store() as store:
        store.set_finished(False)
    with pytest.raises(RunError, match="is not finished, so that its pick may change: rosearch resume"):
        retrain(run, pick.number)


def test_equal_seeds_give_equal_records_with_one_and_two_workers(undisturbed: Results, tmp_path: Path) -> None:
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        found = run_whole(folder, execution={"workers": workers}, **FULL)
        assert outcomes(found.records) == outcomes(undisturbed.records)


def test_a_search_of_encoders_is_recorded_compared_and_exported_as_any_other(tmp_path: Path) -> None:
    write_experiment(tmp_path, finalists={"count": 1})
    sizes = {"layers": [1, 2], "heads": [2, 3], "hidden": [24], "ffn": [16, 40], "activation": ["relu", "silu"]}
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({"name": "few", "encoder": sizes, "vocabulary": 100}))
    found = run_whole(tmp_path)
    assert [record.status for record in found.records] == ["done"] * len(found.records)
    space = load_space(found.run.search_space)
    assert len({space.choice(record.genotype) for record in found.of("candidate")}) == 7
    table = records_table(found.records)
    assert set(table["ffn"]) == {16, 40} and set(table["heads"]) <= {2, 3}
    folder = export_record(found, found.ranking[0], tmp_path / "export", overwrite=False)
    exported = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)
    measured = found.ranking[0].measurements
    assert measured is not None
    assert sum(parameter.numel() for parameter in exported.parameters()) == measured.efficiency.parameters


def test_another_seed_gives_other_records(undisturbed: Results, tmp_path: Path) -> None:
    other = run_whole(tmp_path, seed=4)
    assert {r.id for r in other.of("candidate")} != {r.id for r in undisturbed.of("candidate")}


@pytest.mark.parametrize(
    "moment", [4, *(pytest.param(moment, marks=pytest.mark.slow) for moment in (*range(4), *range(5, 12)))]
)
def test_a_killed_search_resumes_to_the_same_records(moment: int, undisturbed: Results, tmp_path: Path) -> None:
    """SIGKILL once `moment` records are finished: in the baselines, two generations, and the finalists."""
    path = write_experiment(tmp_path, execution={"workers": 2}, **FULL)
    run = RunDirectory.create(tmp_path / "runs", load_experiment(path))
    driver = subprocess.Popen(
        [sys.executable, "-m", "rosearch.cli", "resume", str(run.path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while finished_count(run.store) < moment and time.monotonic() < deadline and driver.poll() is None:
        time.sleep(0.005)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    before = outcomes([r for r in load_results(run).records if r.status == "done"])
    found = run_search(run, Quiet())
    assert found.finished
    after = outcomes(found.records)
    assert after == outcomes(undisturbed.records)
    assert all(record in after for record in before)


SMALLEST = {
    "evolution": {"candidates": 2, "population": 2, "elite": 1},
    "distillation": {"method": "hidden_states"},
    "finalists": {"count": 1, "replicates": 1},
}


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The run that those must equal which the machine stopped."""
    return run_whole(tmp_path_factory.mktemp("smallest"), **SMALLEST)


def raising(error: Exception) -> Callable[..., NoReturn]:
    def fail(*arguments: Any, **named: Any) -> NoReturn:
        raise error

    return fail


FULL_DISK = OSError(errno.ENOSPC, "No space left on device")
PLACES: dict[str, tuple[Any, str, Any]] = {  # where it is written, and what the writer raises there
    "weights of a student": (PreTrainedModel, "save_pretrained", raising(SafetensorError("I/O error (os error 28)"))),
    "tokenizer of the run": (PreTrainedTokenizerBase, "save_pretrained", raising(Exception("full (os error 28)"))),
    "tokens": (np, "save", raising(OSError("120 requested and 7 written"))),
    "outputs of the teacher": (rosearch.training.outputs, "_create", raising(FULL_DISK)),
    "all that is synced": (os, "fsync", raising(OSError(errno.EIO, "Input/output error"))),
    "records": (Store, "finish", raising(RunError("records.sqlite: database or disk is full"))),
    "locks": (FileLock, "acquire", raising(OSError(errno.ENOLCK, "No locks available"))),
}
NUMBERS = ("ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENFILE", "EFBIG")


def stops_and_goes_on(folder: Path, patch: pytest.MonkeyPatch, place: tuple[Any, str, Any], smallest: Results) -> None:
    run = RunDirectory.create(folder / "runs", load_experiment(write_experiment(folder, **SMALLEST)))  # type: ignore[arg-type]
    patch.setattr(*place)
    with pytest.raises(RunError) as stopped:
        run_search(run, Quiet())
    patch.undo()
    assert "\n" not in str(stopped.value)
    left = load_results(run)
    assert not left.finished and "failed" not in {record.status for record in left.records}
    assert outcomes(run_search(run, Quiet()).records) == outcomes(smallest.records)
    assert not [path for path in run.path.parent.rglob(".*") if path.name not in (".cache", ".gitignore")]


@pytest.mark.parametrize("place", PLACES)
def test_a_fault_of_the_machine_wherever_it_writes_stops_a_run_that_resumes_to_the_same_records(
    place: str, smallest: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops_and_goes_on(tmp_path, monkeypatch, PLACES[place], smallest)


@pytest.mark.parametrize("number", NUMBERS)
def test_every_fault_of_the_machine_stops_a_run_that_resumes_to_the_same_records(
    number: str, smallest: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(getattr(errno, number), os.strerror(getattr(errno, number)))
    stops_and_goes_on(tmp_path, monkeypatch, (PreTrainedModel, "save_pretrained", raising(error)), smallest)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_line_of_a_fault_names_the_run_the_reason_and_the_way_on(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "two words"
    folder.mkdir()
    run = RunDirectory.create(folder, load_experiment(write_experiment(tmp_path, execution={"workers": workers})))
    monkeypatch.setattr(rosearch.run.driver, "run_candidate", leave_no_space)
    with pytest.raises(MachineFault) as stopped:
        run_search(run, Quiet())
    assert str(stopped.value) == (
        f"{run.path}: stopped: while in save, [Errno 28] No space left on device: free some space. "
        f"Nothing is lost. Then go on: `rosearch resume '{run.path}'`"
    )


def leave_no_space(job: CandidateJob, progress: Progress) -> Outcome:
    progress("save", 0, 1)
    raise FULL_DISK


class Swallowing(Quiet):
    """Gets a Ctrl-C in a `__del__` when a candidate begins: Python prints what is raised there, and goes on."""

    def started(self, record: Record) -> None:
        class Grave:
            def __del__(self) -> None:
                os.kill(os.getpid(), signal.SIGINT)

        Grave()


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_ctrl_c_that_something_swallowed_ends_the_search_all_the_same(workers: int, tmp_path: Path) -> None:
    run = RunDirectory.create(
        tmp_path / "runs", load_experiment(write_experiment(tmp_path, execution={"workers": workers}))
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever tests behind a shell's `&` ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            run_search(run, Swallowing())
    finally:
        assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
    left = load_results(run)
    assert left.state == "interrupted" and {record.status for record in left.records} <= {"done", "pending"}
    assert sum(record.status == "done" for record in left.records) <= 1


def test_two_drivers_cannot_work_on_one_run(undisturbed: Results) -> None:
    with undisturbed.run.lock(), pytest.raises(RunError, match="another process is working on it"):
        run_search(undisturbed.run, Quiet())


def fail_out_of_memory(job: CandidateJob, progress: Progress) -> Outcome:
    return Outcome(None, Failure("oom", "distil", "out of memory"), {"distil": 0.1})


def test_candidates_that_all_fail_alike_stop_the_search_and_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosearch.run.driver, "run_candidate", fail_out_of_memory)
    path = write_experiment(tmp_path, execution={"stop_after_failures": 2})
    run = RunDirectory.create(tmp_path / "runs", load_experiment(path))
    with pytest.raises(SearchAborted, match=r"last 2 candidates all failed alike: oom while in distil: out of memory"):
        run_search(run, Quiet())
    assert [record.status for record in load_results(run).records] == ["failed", "failed", "pending"]


def test_a_diverging_candidate_is_a_recorded_failure_and_the_search_goes_on(tmp_path: Path) -> None:
    found = run_whole(
        tmp_path,
        distillation={"learning_rate": 1e9, "clip_norm": 1e9, "max_steps": 60},
        execution={"stop_after_failures": 100},
    )
    failures = [record.failure for record in found.records]
    assert len(failures) == 7 and found.finished
    assert all(failure is not None and (failure.kind, failure.stage) == ("nan", "distil") for failure in failures)
    assert found.ranking == [] and found.front == []
    with pytest.raises(RunError, match="nothing is best"):
        found.best()


def test_weights_are_kept_for_the_front_and_deleted_for_the_rest(tmp_path: Path) -> None:
    found = run_whole(tmp_path, execution={"keep_students": "front"}, baselines=["bert_mini"])
    kept = {record.number for record in found.records if found.run.student_folder(record).is_dir()}
    expected = {record.number for record in (*found.front, found.best(), *found.of("baseline"))}
    assert kept == expected
    assert not [path for path in found.run.students.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("strategy", ["nsga2", "random"])
def test_every_strategy_searches_to_the_end_of_its_budget(strategy: str, tmp_path: Path) -> None:
    found = run_whole(tmp_path, evolution={"strategy": strategy, "candidates": 6, "population": 4, "elite": 1})
    assert found.finished and len(found.of("candidate")) == 6 and found.front


def test_a_search_may_go_unwatched(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, evolution={"candidates": 2, "population": 2, "elite": 1})
    found = run_search(RunDirectory.create(tmp_path / "runs", load_experiment(path)))
    assert found.finished and [record.status for record in found.records] == ["done", "done"]


def test_attacked_records_are_the_same_in_a_worker(tmp_path: Path) -> None:
    small = {"evolution": {"candidates": 3, "population": 3, "elite": 1}}
    inline = run_whole(tmp_path / "inline", problem="classification", **small)
    worker = run_whole(tmp_path / "worker", problem="classification", execution={"workers": 1}, **small)
    assert all(r.measurements is not None and r.measurements.robustness is not None for r in inline.records)
    assert outcomes(worker.records) == outcomes(inline.records)


def test_a_run_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    found = run_whole(tmp_path)
    with (tmp_path / "data/train.tsv").open("a") as file:
        file.write("one more story\t0.5\n")
    with pytest.raises(RunError, match="the task and teacher outputs changed since the run began"):
        run_search(found.run, Quiet())


def test_a_name_or_an_id_finds_what_a_user_means(undisturbed: Results) -> None:
    baseline = undisturbed.of("baseline")[0]
    candidate = undisturbed.ranking[0]
    assert undisturbed.find("bert_mini") is baseline
    assert undisturbed.find(candidate.id[:8]) is candidate
    assert undisturbed.find(undisturbed.of("finalist")[0].label).id == undisturbed.of("finalist")[0].id
    twin = replace(candidate, role="baseline", name="twin", number=0)
    both = replace(undisturbed, records=(twin, *undisturbed.records))
    assert both.find(candidate.id).role == "candidate" and both.find("twin") is twin
    assert undisturbed.retrained(candidate).role == "finalist" and undisturbed.retrained(candidate).replicate == 0
    with pytest.raises(RunError, match="6 letters of an id at least, got 'zzz'"):
        undisturbed.find("zzz")
    with pytest.raises(RunError, match="6 letters of an id at least, got ''"):
        undisturbed.find("")


KINDS = cycle(["oom", "exception"])


def fail_in_turn(job: CandidateJob, progress: Progress) -> Outcome:
    return Outcome(None, Failure(next(KINDS), "distil", "no"), {})  # type: ignore[arg-type]


def test_only_failures_in_a_row_stop_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosearch.run.driver, "run_candidate", fail_in_turn)
    found = run_whole(tmp_path, execution={"stop_after_failures": 2})
    assert found.finished and {record.status for record in found.records} == {"failed"}
