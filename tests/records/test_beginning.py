from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from rosearch.config.experiment import Experiment
from rosearch.errors import BadInput, RunError
from rosearch.records import beginning
from rosearch.records.beginning import go_on, refuse_changes
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.results import load_results

RECORDED = Path(__file__).parents[1] / "compatibility/recorded/small-0001"


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    (tmp_path / "space.yaml").write_text("name: tiny\nmax_nodes: 3\n")
    task = {"name": "grammar", "text": ["sentence"], "labels": ["neg", "pos"], "generated": {}}
    experiment = Experiment(
        name="small", search_space=tmp_path / "space.yaml", task=task, teacher={"model": "somewhere"}
    )
    return RunDirectory.create(tmp_path / "runs", experiment)


def refuse(run: RunDirectory) -> None:
    with Store.open(run.store, read_only=True) as store:
        refuse_changes(store, run.experiment_file, run.search_space)


def resume(run: RunDirectory) -> None:
    with Store.open(run.store) as store:
        go_on(store, run.path, run.experiment_file, run.search_space)


def edit(path: Path, key: str, value: object) -> None:
    data = yaml.safe_load(path.read_text())
    *sections, last = key.split(".")
    section = data
    for name in sections:
        section = section[name]
    section[last] = value
    path.write_text(yaml.safe_dump(data))


@pytest.mark.parametrize("opened", [refuse, resume, load_results], ids=["read", "resumed", "results"])
@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("experiment.yaml", "distillation.learning_rate", 0.5),
        ("experiment.yaml", "seed", 99),
        ("experiment.yaml", "fitness.min_quality", 0.25),
        ("experiment.yaml", "execution.workers", 7),
        ("experiment.yaml", "evaluation.efficiency.runtime", "onnx"),
        ("search_space.yaml", "max_nodes", 4),
    ],
)
def test_a_snapshot_that_has_changed_is_refused_with_the_keys_that_differ(run, file, key, value, opened):
    opened(run)
    edit(run.place(file), key, value)
    with pytest.raises(
        RunError, match=rf"{file}: changed since the run began: {key} \(was .*, is {value!r}\)"
    ) as caught:
        opened(run)
    assert "\n" not in str(caught.value)


def test_a_key_that_was_added_or_removed_differs_too(run):
    run.search_space.write_text("name: tiny\nmin_nodes: 1\n")
    with pytest.raises(RunError, match=r"max_nodes \(was 3, is None\), min_nodes \(was None, is 1\)"):
        refuse(run)


def test_many_differences_are_counted_and_not_all_spelled_out(run):
    run.search_space.write_text("\n".join(f"key_{number}: {'x' * 500}" for number in range(40)))
    with pytest.raises(RunError, match="and 37 more") as caught:
        refuse(run)
    assert len(str(caught.value)) < 1200


def test_other_comments_and_another_layout_are_no_difference(run):
    run.search_space.write_text("# noted by hand\n{max_nodes: 3, name: tiny}\n")
    resume(run)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b""), lambda path: path.write_text("[")])
def test_a_snapshot_that_cannot_be_read_is_bad_input(run, damage):
    damage(run.search_space)
    with pytest.raises(BadInput, match=r"search_space\.yaml"):
        refuse(run)


def test_another_version_of_a_library_is_a_warning_when_a_run_goes_on(run, monkeypatch, caplog):
    resume(run)
    assert not caplog.records
    monkeypatch.setattr(beginning, "version", lambda name: "99.0" if name == "torch" else "0")
    resume(run)
    (warning,) = caplog.messages
    assert str(run.path) in warning and "torch" in warning and "(now 99.0)" in warning


def test_a_finished_run_is_not_warned_of(run, monkeypatch, caplog):
    with Store.open(run.store) as store:
        store.set_finished()
    monkeypatch.setattr(beginning, "version", lambda name: "99.0")
    resume(run)
    assert not caplog.records


def test_a_run_of_an_older_version_notes_its_snapshots_when_it_goes_on(tmp_path):
    run = RunDirectory(Path(shutil.copytree(RECORDED, tmp_path / "small-0001")))
    refuse(run)
    resume(run)
    edit(run.experiment_file, "seed", 4)
    with pytest.raises(RunError, match=r"seed \(was 903, is 4\)"):
        refuse(run)
