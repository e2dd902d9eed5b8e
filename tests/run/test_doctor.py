from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from damaged_files import DAMAGES
from small_run import Quiet, outcomes, write_experiment
from torn_records import lose, tear, tear_fact

from rosearch.config.file import load_experiment
from rosearch.errors import RunError
from rosearch.records.run_directory import RunDirectory
from rosearch.records.salvage import plan_of, read_left, write_whole_store
from rosearch.records.store import Store
from rosearch.run.doctor import Examination, examine
from rosearch.run.results import load_results
from rosearch.search import cache_folder, run_search


@dataclass(frozen=True)
class Undisturbed:
    folder: Path
    records: list[tuple[object, ...]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A finished run of three generations and a finalist."""
    folder = tmp_path_factory.mktemp("examined")
    sizes = {"candidates": 6, "population": 2, "elite": 1}
    experiment = load_experiment(write_experiment(folder, evolution=sizes, finalists={"count": 1, "replicates": 1}))
    found = run_search(RunDirectory.create(folder / "runs", experiment), Quiet())
    return Undisturbed(found.run.path, outcomes(found.records))


@pytest.fixture
def run(undisturbed: Undisturbed, tmp_path: Path) -> RunDirectory:
    shutil.copytree(undisturbed.folder.parent, tmp_path / "runs")
    return RunDirectory(tmp_path / "runs" / undisturbed.folder.name)


def kinds(found: Examination) -> list[str]:
    return [finding.kind for finding in found.findings]


def state(run: RunDirectory) -> dict[Path, bytes]:
    """All files but locks, and what SQLite's readers share while a log lies there."""
    files = (path for path in run.path.parent.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path: path.read_bytes() for path in files if not path.name.endswith("-shm")}


def mends(run: RunDirectory, expected: list[str], undisturbed: Undisturbed) -> Examination:
    """The dry run finds the same and changes nothing; after the mending nothing is found, and the run goes on."""
    before = state(run)
    dry = examine(run.path, dry_run=True)
    assert state(run) == before
    found = examine(run.path)
    left_out = ["weights without record"] if expected == ["torn records"] else []  # of records that are left out
    assert [kind for kind in kinds(found) if kind not in left_out] == expected
    assert found.left == [] and found.findings[0] == dry.findings[0]
    assert examine(run.path).findings == []
    assert outcomes(run_search(run, Quiet()).records) == undisturbed.records
    return found


def test_nothing_is_wrong_with_a_sound_run(run: RunDirectory) -> None:
    before = state(run)
    assert examine(run.path).findings == [] == examine(run.path, dry_run=True).findings
    assert state(run) == {**before, **{path: b"" for path in [run.path / "lock"] if path.exists()}}


def test_leftovers_of_a_killed_driver_are_removed(run: RunDirectory, undisturbed: Undisturbed) -> None:
    for name in (".progress.json.draft", "students/.abc.0123abcd", "progress.json", "records.sqlite-shm"):
        (run.path / name).touch()
    (run.path / "driver").write_text("pid 1 on nowhere")
    (run.path / "records.sqlite-wal").touch()
    mends(run, ["half", "half", "stale lock", "stale progress", "log"], undisturbed)
    assert not [path for path in run.path.rglob("*") if path.name.startswith(".") or "sqlite-" in path.name]


def test_a_log_that_holds_records_is_merged(run: RunDirectory, tmp_path: Path) -> None:
    other = tmp_path / "killed"
    with Store.open(run.store) as store:
        store._check_pages()  # a connection stays open, as a killed driver's
        with sqlite3.connect(run.store) as reader:  # it keeps the log from being merged
            reader.execute("BEGIN").execute("SELECT count(*) FROM records").fetchone()
            store.set_finished(False)
            shutil.copytree(run.path, other)
        reader.close()
    assert (other / "records.sqlite-wal").stat().st_size > 0
    assert kinds(examine(other)) == ["log"]
    assert sorted(path.name for path in other.glob("records*")) == ["records.sqlite"]
    assert not load_results(RunDirectory(other)).finished


def test_students_at_work_when_the_driver_died_run_again(run: RunDirectory, undisturbed: Undisturbed) -> None:
    again = plan_of(read_left(run.store), lambda record: record.seed)
    cut = [replace(record, status="running", measurements=None) for record in again.records if record.number == 6]
    whole = [record for record in again.records if record.number != 6]
    write_whole_store(replace(again, records=sorted([*whole, *cut], key=lambda one: one.number)), run.store)
    mends(run, ["cut short"], undisturbed)


TEARS: dict[str, tuple[Callable[[Path], None], str]] = {
    "outcome": (lambda store: tear(store, 2, "measurements", "replace(measurements, '1', '2')"), "; 2 will run again"),
    "seed": (lambda store: tear(store, 4, "seed", "seed + 1"), "those from 3 on are left out"),
    "origin": (lambda store: tear(store, 6, "origin", "'mutation:nonsense'"), "those from 5 on are left out"),
    "generation": (lambda store: tear(store, 4, "generation", "0"), "those from 3 on are left out"),
    "architecture": (lambda store: tear(store, 1, "genotype", "'nonsense'"), "those from 1 on are left out"),
    "row": (lambda store: lose(store, 4), "those from 3 on are left out"),
    "last row": (lambda store: lose(store, 7), "5 records are kept; those from 6 on are left out"),
    "contents": (lambda store: tear_fact(store, "contents", "9"), "7 records are kept; the damaged file"),
    "teacher": (lambda store: tear_fact(store, "teacher", None), "made again: teacher"),
    "format": (lambda store: tear_fact(store, "format", "x"), "7 records are kept; the damaged file"),
}


@pytest.mark.parametrize("way", TEARS)
def test_a_torn_record_runs_again_or_the_run_is_cut_back_to_the_generation_before(
    way: str, run: RunDirectory, undisturbed: Undisturbed
) -> None:
    harm, words = TEARS[way]
    harm(run.store)
    damaged = run.store.read_bytes()
    found = mends(run, ["torn records"], undisturbed)
    assert words in found.findings[0].done
    assert [path.read_bytes() for path in (run.path / "aside").glob("records*")] == [damaged]


def test_records_of_which_nothing_is_left_are_told_with_the_next_command(run: RunDirectory) -> None:
    run.store.write_bytes(b"no database")
    found = examine(run.path)
    assert kinds(found) == ["torn records"] == [one.kind for one in found.left]
    assert found.left[0].next == f"rosearch search {run.experiment_file}"
    run.store.unlink()
    found = examine(run.path)
    assert kinds(found) == ["records missing"] and found.left[0].next == f"rosearch search {run.experiment_file}"


def test_records_elsewhere_that_are_missing_are_told(run: RunDirectory, tmp_path: Path) -> None:
    run.move_records(tmp_path / "disk")
    assert examine(run.path).findings == []
    (run.path / "records.sqlite").touch()
    assert kinds(examine(run.path)) == ["records twice"]
    run.store.unlink()
    found = examine(run.path)
    assert kinds(found) == ["records missing"] and "write their place into" in found.left[0].done


def test_torn_records_elsewhere_are_mended_there(run: RunDirectory, undisturbed: Undisturbed, tmp_path: Path) -> None:
    run.move_records(tmp_path / "disk")
    tear(run.store, 4, "seconds", "''")
    mends(run, ["torn records"], undisturbed)
    assert run.store.parent == tmp_path / "disk"


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("name", ["experiment.yaml", "search_space.yaml"])
@pytest.mark.parametrize("harm", [remove, *DAMAGES.values()])
def test_snapshots_are_written_again_from_the_records(
    name: str, harm: Callable[[Path], object], run: RunDirectory, undisturbed: Undisturbed
) -> None:
    before = (run.path / name).read_text()
    harm(run.path / name)
    mends(run, ["snapshot"], undisturbed)
    assert (run.path / name).read_text() == before


def test_folders_that_are_missing_are_made(run: RunDirectory, undisturbed: Undisturbed) -> None:
    shutil.rmtree(run.tables)
    mends(run, ["folder missing"], undisturbed)


def test_weights_without_a_record_are_put_aside(run: RunDirectory, undisturbed: Undisturbed) -> None:
    (run.students / "0123456789abcdef").mkdir()
    (run.students / "0123456789abcdef" / "model.safetensors").write_text("of whom?")
    mends(run, ["weights without record"], undisturbed)
    assert [path.read_text() for path in run.place("aside").rglob("*.safetensors")] == ["of whom?"]


def test_weights_and_exports_that_are_gone_or_damaged_are_told_with_the_next_command(run: RunDirectory) -> None:
    results = load_results(run)
    one, other = results.records[0], results.records[1]
    shutil.rmtree(run.student_folder(one))
    (run.student_folder(other) / "model.safetensors").write_bytes(b"short")
    shutil.copytree(run.student_folder(other), run.export_folder(other))
    found = examine(run.path)
    assert kinds(found) == ["weights", "weights", "export"] and len(found.left) == 3
    assert f"--student {run.path}:{one.id[:8]}" in found.left[0].next and "missing" in found.left[0].what
    assert "damaged: model.safetensors" in found.left[1].what and "--overwrite" in found.left[2].next


def test_a_tokenizer_that_is_gone_is_written_again_by_the_next_command(
    run: RunDirectory, undisturbed: Undisturbed
) -> None:
    shutil.rmtree(run.tokenizer)
    found = examine(run.path)
    assert kinds(found) == ["tokenizer"] and found.left[0].next == run.resume_command
    run_search(run, Quiet())
    assert examine(run.path).findings == []


def test_half_written_and_damaged_entries_of_the_cache_are_removed(run: RunDirectory, undisturbed: Undisturbed) -> None:
    outputs = cache_folder(run) / "outputs"
    entry = next(path for path in outputs.iterdir() if path.is_dir())
    largest = max((path for path in entry.iterdir()), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    (outputs / ".half.0123abcd").mkdir()
    mends(run, ["half", "cache"], undisturbed)


def test_a_run_that_a_driver_works_on_is_left_alone(run: RunDirectory) -> None:
    for dry_run in (True, False):
        with run.lock(), pytest.raises(RunError, match="another process is working on it"):
            examine(run.path, dry_run=dry_run)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected the folder of a run"):
        examine(tmp_path)
