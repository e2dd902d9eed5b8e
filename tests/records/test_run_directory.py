from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from damaged_files import DAMAGES
from records import sample_records as samples

from rosearch.config.experiment import Experiment
from rosearch.errors import BadInput, RunError
from rosearch.files import DIGESTS, whole
from rosearch.records import run_directory
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.results import load_results

LOCKER = """
import sys, time
from pathlib import Path
from rosearch.records.run_directory import RunDirectory
with RunDirectory.open(Path(sys.argv[1])).lock():
    print("locked", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    space = tmp_path / "space é.yaml"
    space.write_text("name: tiny # é\n", encoding="utf-8")
    return Experiment(
        name="quick.start",
        seed=7,
        search_space=space,
        task={"name": "grammar", "text": ["sentence"], "labels": ["né", "pos"], "generated": {}},
        teacher={"model": "somewhere"},
        evolution={"candidates": 9},
    )


@pytest.fixture
def run(tmp_path: Path, experiment: Experiment) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs", experiment)


def test_a_new_run_has_snapshots_an_empty_store_and_nothing_hidden(run, experiment, tmp_path):
    assert run.path == tmp_path / "runs" / "quick.start-0001"
    assert RunDirectory.open(run.path) == run
    assert run.search_space.read_text(encoding="utf-8") == "name: tiny # é\n"
    assert sorted(path.name for path in run.path.iterdir()) == [
        "experiment.yaml",
        "records.sqlite",
        "search_space.yaml",
        "students",
        "tables",
    ]
    assert [path.name for path in run.path.parent.iterdir()] == ["quick.start-0001"]
    with Store.open(run.store) as store:
        assert store.records() == []


def test_the_snapshot_is_the_experiment_but_for_the_space_that_lies_beside_it(run, experiment):
    assert run.experiment() == experiment.model_copy(update={"search_space": run.search_space.resolve()})


def test_a_run_does_not_depend_on_the_files_it_was_started_from(run, experiment):
    experiment.search_space.unlink()
    assert run.experiment().search_space.read_text(encoding="utf-8") == "name: tiny # é\n"


def test_runs_are_numbered_after_the_highest_of_their_name(tmp_path, experiment):
    root = tmp_path / "runs"
    for taken in (
        "quick.start-0003",
        "quick.start-12",
        "quickXstart-0009",
        "quick.start-0007x",
        "other-0008",
    ):
        (root / taken).mkdir(parents=True)
    assert RunDirectory.create(root, experiment).path.name == "quick.start-0004"
    (root / "quick.start-9999").mkdir()
    assert RunDirectory.create(root, experiment).path.name == "quick.start-10000"
    assert RunDirectory.create(root, experiment).path.name == "quick.start-10001"


def test_a_number_that_another_process_takes_meanwhile_is_left_to_it(tmp_path, experiment, monkeypatch):
    root = tmp_path / "runs"
    rename = Path.rename

    def overtaken(self: Path, target: Path) -> Path:
        if target.name == "quick.start-0001":
            (target / "records.sqlite").parent.mkdir(exist_ok=True)
            (target / "records.sqlite").touch()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    assert RunDirectory.create(root, experiment).path.name == "quick.start-0002"
    assert sorted(path.name for path in root.iterdir()) == ["quick.start-0001", "quick.start-0002"]


def test_a_run_that_cannot_be_made_leaves_nothing(tmp_path, experiment):
    missing = experiment.model_copy(update={"search_space": tmp_path / "gone.yaml"})
    with pytest.raises(RunError, match=r"gone\.yaml"):
        RunDirectory.create(tmp_path / "runs", missing)
    assert list((tmp_path / "runs").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be made there"):
        RunDirectory.create(tmp_path / "file", experiment)


def test_a_folder_without_records_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"got a folder without records\.sqlite"):
        RunDirectory.open(tmp_path)
    with pytest.raises(RunError, match="got no such folder"):
        RunDirectory.open(tmp_path / "gone")
    (tmp_path / "mine.yaml").write_text("")
    with pytest.raises(RunError, match="got a file"):
        RunDirectory.open(tmp_path / "mine.yaml")


def test_a_damaged_snapshot_is_bad_input(run):
    run.experiment_file.write_text("name: [", encoding="utf-8")
    with pytest.raises(BadInput):
        run.experiment()


def test_a_run_is_locked_against_another_process_that_is_named_until_it_is_killed(run):
    command = [sys.executable, "-c", LOCKER, str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        with (
            pytest.raises(RunError, match=rf"another process is working on it \(pid {other.pid} on "),
            run.lock(),
        ):
            pass
        with Store.open(run.store, read_only=True) as store:  # looking is always allowed
            assert store.records() == []
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    with run.lock():
        pass


def test_a_lock_is_not_held_twice_in_one_process_and_is_free_after_an_error(run):
    with pytest.raises(ZeroDivisionError), run.lock():
        with pytest.raises(RunError, match=f"pid {os.getpid()} on"), run.lock():
            pass
        raise ZeroDivisionError
    with run.lock():
        assert (run.path / "driver").is_file()
    assert not (run.path / "driver").exists()


def test_taking_the_lock_clears_what_a_killed_worker_left_half_written(run):
    kept = run.students / "abc"
    for folder in (kept, run.students / ".abc.0123abcd"):
        folder.mkdir()
        (folder / "model.safetensors").touch()
    with run.lock():
        assert list(run.students.iterdir()) == [kept]


def test_no_two_records_share_the_folder_of_their_weights(run):
    record = samples.pending(1)
    records = [
        record,
        samples.pending(2),
        replace(record, role="baseline"),
        replace(record, role="finalist"),
        replace(record, role="finalist", replicate=1),
    ]
    folders = [run.student_folder(record) for record in records]
    assert len(set(folders)) == len(folders)
    assert {folder.parent for folder in folders} == {run.students}
    assert folders[0].name == record.id


def kept(run: RunDirectory) -> Record:
    """A record whose weights were written into the run, and the run's tokenizer."""
    record = samples.pending(1)
    for folder in (run.student_folder(record), run.tokenizer):
        with whole(folder) as draft:
            draft.mkdir()
            (draft / "model.safetensors").write_bytes(bytes(100))
    return record


@pytest.mark.parametrize("way", DAMAGES)
@pytest.mark.parametrize("part", ["students", "tokenizer"])
def test_damage_to_weights_and_tokenizer_is_named_with_what_to_do(part: str, way: str, run: RunDirectory) -> None:
    record = kept(run)
    run.require_undamaged(record)
    folder, advice = {
        "students": (run.student_folder(record), f"rosearch distil EXPERIMENT --student {run.path}:{record.id[:8]}"),
        "tokenizer": (run.tokenizer, f"rosearch resume {run.path}"),
    }[part]
    DAMAGES[way](folder / "model.safetensors")
    with pytest.raises(BadInput, match=r"model\.safetensors: damaged: expected what was written, got ") as caught:
        run.require_undamaged(record)
    assert advice in str(caught.value)


@pytest.mark.parametrize("way", DAMAGES)
def test_a_damaged_tokenizer_is_as_none_and_said(way: str, run: RunDirectory, caplog: pytest.LogCaptureFixture) -> None:
    assert not run.has_tokenizer()
    kept(run)
    assert run.has_tokenizer() and caplog.messages == []
    DAMAGES[way](run.tokenizer / "model.safetensors")
    assert not run.has_tokenizer() and "damaged" in caplog.text


def test_weights_of_an_earlier_version_carry_no_digests_which_is_said_once(
    run: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    record = kept(run)
    for folder in (run.student_folder(record), run.tokenizer):
        (folder / DIGESTS).unlink()
    for _ in range(2):
        run.require_undamaged(record)
    assert [str(run.path) in line for line in caplog.messages] == [True]


def test_a_student_is_removed_with_all_its_files_and_removing_it_twice_is_harmless(run):
    record, other = samples.pending(1), samples.pending(2)
    for one in (record, other):
        run.student_folder(one).mkdir()
        (run.student_folder(one) / "config.json").touch()
    run.remove_student(record)
    run.remove_student(record)
    assert list(run.students.iterdir()) == [run.student_folder(other)]


def touch_all(run: RunDirectory) -> None:
    """Asks for everything that a run folder holds, as the commands do."""
    record = samples.pending(1)
    load_results(RunDirectory.open(run.path))
    for folder in (run.student_folder(record), run.tokenizer, run.tables, run.export_folder(record)):
        assert folder.is_relative_to(run.path)
    run.remove_student(record)
    run.remove_unfinished(record)
    with run.lock():
        pass


@pytest.mark.parametrize(
    "name",
    [
        "records.sqlite",
        "records.sqlite-wal",
        "records.sqlite-shm",
        "records.sqlite-journal",
        "experiment.yaml",
        "search_space.yaml",
        "students",
        "students/ID",
        "students/ID/model.safetensors",
        "tokenizer",
        "tokenizer/tokenizer.json",
        "tables",
        "unfinished",
        "unfinished/ID",
        "unfinished/ID/checkpoint",
        "export",
        "export/ID",
        "lock",
        "driver",
    ],
)
def test_a_link_inside_a_run_is_refused_and_what_it_points_to_is_left_alone(run, tmp_path, name):
    touch_all(run)
    place, elsewhere = run.path / name.replace("ID", samples.pending(1).id), tmp_path / "elsewhere"
    if place.is_file():
        elsewhere.write_bytes(place.read_bytes())
        place.unlink()
    elif "." in place.name or place.name in ("lock", "driver", "checkpoint"):
        elsewhere.write_text("of somebody else")
    else:
        (elsewhere / samples.pending(1).id).mkdir(parents=True)
        (elsewhere / samples.pending(1).id / ".hidden").write_text("of somebody else")
    if place.is_dir():
        place.rmdir()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(elsewhere)
    before = {path: path.is_dir() or path.read_bytes() for path in (elsewhere, *elsewhere.rglob("*"))}
    with pytest.raises(RunError, match=rf"{place}: expected a part of the run, got a link"):
        touch_all(run)
    assert {path: path.is_dir() or path.read_bytes() for path in (elsewhere, *elsewhere.rglob("*"))} == before


@pytest.mark.parametrize("parts", [("..",), (".",), ("",), ("students", "../../x"), ("/etc",), ("a/b",)])
def test_a_place_outside_a_run_is_refused(run, parts):
    with pytest.raises(RunError, match="expected a place inside the run"):
        run.place(*parts)


def test_a_run_folder_may_itself_be_reached_by_a_link(run, tmp_path):
    (tmp_path / "link").symlink_to(run.path)
    touch_all(RunDirectory.open(tmp_path / "link"))


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), RunError("disk is full. Free some")]
)
def test_a_fault_of_the_machine_before_there_is_a_run_says_to_start_again(
    fault: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise fault from sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(run_directory, "_fill", fail)
    with pytest.raises(
        RunError, match=r"a run cannot be made there: .*There is no run yet: then start it again"
    ) as told:
        RunDirectory.create(tmp_path, SimpleNamespace(name="small"))  # type: ignore[arg-type]
    assert "resume" not in str(told.value)
