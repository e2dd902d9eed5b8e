from __future__ import annotations

import json
import shutil
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from records import sample_records as samples

from rosearch.config.experiment import Experiment
from rosearch.errors import RunError
from rosearch.records import lock, run_directory
from rosearch.records.place import POINTER
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.listing import list_runs
from rosearch.run.results import load_results


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    (tmp_path / "space.yaml").write_text("name: tiny\n")
    task = {"name": "grammar", "text": ["sentence"], "labels": ["a", "b"], "generated": {}}
    teacher = {"model": "somewhere"}
    return Experiment(name="quick", seed=7, search_space=tmp_path / "space.yaml", task=task, teacher=teacher)


@pytest.fixture
def run(tmp_path: Path, experiment: Experiment) -> RunDirectory:
    """A run with one record, which lies on the disk of this machine."""
    run = RunDirectory.create(tmp_path / "runs", experiment, tmp_path / "disk")
    with run.open_store() as store:
        store.propose([samples.pending(1)])
    return run


def test_records_lie_in_the_folder_that_is_named_and_the_run_says_where(run: RunDirectory, tmp_path: Path) -> None:
    assert not (run.path / "records.sqlite").exists()
    assert run.store.parent == tmp_path / "disk" and run.store.name.startswith("quick-")
    told = json.loads((run.path / POINTER).read_text())
    assert told["records"] == str(run.store) and told["machine"] == socket.gethostname()
    assert [record.number for record in load_results(RunDirectory.open(run.path)).records] == [1]
    assert RunDirectory.is_run(run.path) and [path.name for path in (tmp_path / "disk").iterdir()] == [run.store.name]


def test_a_run_folder_that_moves_keeps_its_records(run: RunDirectory, tmp_path: Path) -> None:
    run.path.rename(tmp_path / "moved")
    assert len(load_results(RunDirectory.open(tmp_path / "moved")).records) == 1


def test_records_that_moved_or_are_missing_are_one_line_that_says_what_to_do(run: RunDirectory, tmp_path: Path) -> None:
    before, pointer = run.store, run.path / POINTER
    before.rename(tmp_path / "elsewhere.sqlite")
    with pytest.raises(RunError) as missing:
        RunDirectory.open(run.path)
    assert str(missing.value) == (
        f"{run.path}: expected its records at {before} on {socket.gethostname()}: no such file. "
        f"Put them back, or write their place into {pointer}"
    )
    pointer.write_text(pointer.read_text().replace(str(before), str(tmp_path / "elsewhere.sqlite")))
    assert len(load_results(RunDirectory.open(run.path)).records) == 1


def test_a_run_that_another_machine_drives_says_which(run: RunDirectory) -> None:
    pointer = run.path / POINTER
    pointer.write_text(pointer.read_text().replace(socket.gethostname(), "node7"))
    run.store.unlink()
    with pytest.raises(RunError, match=f"on node7, this is {socket.gethostname()}: no such file"):
        RunDirectory.open(run.path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"records": "relative.sqlite", "machine": "a", "run": "b"}', "\x00"])
def test_a_damaged_pointer_is_one_line(text: str, run: RunDirectory) -> None:
    (run.path / POINTER).write_text(text)
    with pytest.raises(RunError, match=rf"{POINTER}: expected ") as told:
        RunDirectory.open(run.path)
    assert "\n" not in str(told.value)


def test_a_pointer_to_the_records_of_another_run_is_refused(
    run: RunDirectory, experiment: Experiment, tmp_path: Path
) -> None:
    other = RunDirectory.create(tmp_path / "runs", experiment, tmp_path / "disk")
    pointer = run.path / POINTER
    pointer.write_text(pointer.read_text().replace(str(run.store), str(other.store)))
    for read_only in (True, False):
        with pytest.raises(RunError, match="expected the place of this run's records, got those of another"):
            run.open_store(read_only=read_only)


def test_two_copies_of_a_folder_share_one_lock(run: RunDirectory, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "copy")
    with (
        run.lock(),
        pytest.raises(RunError, match="another process is working on it"),
        RunDirectory(tmp_path / "copy").lock(),
    ):
        pass


def test_the_records_of_a_run_can_be_moved_out_of_it_and_on(experiment: Experiment, tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "runs", experiment)
    with run.open_store() as store:
        store.propose([samples.pending(1)])
    for folder in ("disk", "disk", "other"):
        run.move_records(tmp_path / folder)
        assert run.store.parent == tmp_path / folder and len(load_results(run).records) == 1
    assert not (run.path / "records.sqlite").exists() and not list((tmp_path / "disk").glob("*.sqlite"))


def test_a_run_is_not_made_on_a_network_file_system_and_what_is_there_is_not_written(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory.create(tmp_path / "far", experiment)
    monkeypatch.setattr(lock, "network_file_system", lambda path: "nfs4" if "far" in str(path) else "")
    with pytest.raises(RunError, match=r"`rosearch search \.\.\. --records DIR`"):
        RunDirectory.create(tmp_path / "far", experiment)
    with pytest.raises(RunError, match="far_disk: lies on a network file system"):
        RunDirectory.create(tmp_path / "near", experiment, tmp_path / "far_disk")
    with pytest.raises(RunError, match=f"`rosearch resume {run.path} --records DIR`"):
        run.require_local()
    assert load_results(run).records == ()  # looking is always allowed
    run.move_records(tmp_path / "disk")
    run.require_local()
    assert RunDirectory.create(tmp_path / "far", experiment, tmp_path / "disk").path.name == "quick-0002"


def test_records_of_a_run_that_cannot_be_made_are_removed(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_directory, "_rename_to_next", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(RunError, match="cannot be made there"):
        RunDirectory.create(tmp_path / "runs", experiment, tmp_path / "disk")
    assert list((tmp_path / "disk").iterdir()) == []


def test_looking_at_a_run_leaves_nothing_beside_its_records(experiment: Experiment, tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "runs", experiment)
    shutil.copytree(run.path, tmp_path / "runs" / "copy")
    (tmp_path / "runs" / "copy" / "records.sqlite").write_bytes(run.store.read_bytes()[:5000])
    before = sorted((tmp_path / "runs").rglob("*"))
    assert [one.state for one in list_runs(tmp_path / "runs")].count("unreadable") == 1
    assert sorted((tmp_path / "runs").rglob("*")) == before


def test_a_look_in_which_a_driver_begins_is_taken_again(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, drivers = Store.stored, ExitStack()

    def disturbed(store: Store, *arguments: Any) -> Any:
        if not (tmp_path / "begun").exists():
            (tmp_path / "begun").touch()
            writer = drivers.enter_context(Store.open(run.store))
            writer.start(1)
            raise RunError("damaged: pages of two states")
        return read(store, *arguments)

    with drivers:
        monkeypatch.setattr(Store, "stored", disturbed)
        monkeypatch.setattr(Store, "_check_pages", lambda store: None)
        assert [record.status for record in load_results(run).records] == ["running"]
    monkeypatch.setattr(Store, "stored", lambda *_: (_ for _ in ()).throw(RunError("damaged indeed")))
    with pytest.raises(RunError, match="damaged indeed"):
        load_results(run)
