from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment, load_snapshot
from rosearch.errors import BadInput


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, beside which the folder of the experiment lies."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def load(tmp_path: Path, *overrides: str, **changes: Any) -> Experiment:
    mine = tmp_path / "mine"
    mine.mkdir(exist_ok=True)
    task = {"name": "t", "text": ["text"], "files": {"train": "a.csv", "test": "deep/../b.csv"}}
    data = {"name": "small", "search_space": "tiny", "task": task, "teacher": "./bert", **changes}
    (mine / "small.yaml").write_text(yaml.safe_dump(data))
    return load_experiment(mine / "small.yaml", overrides)


def files_of(experiment: Experiment) -> dict[str, Path]:
    assert experiment.task is not None and experiment.task.files is not None
    return experiment.task.files.paths


def test_files_lie_beside_the_experiment_that_names_them(tmp_path: Path, elsewhere: Path) -> None:
    (elsewhere / "a.csv").touch()
    found = files_of(load(tmp_path))
    assert found == {"train": tmp_path / "mine" / "a.csv", "test": tmp_path / "mine" / "deep" / ".." / "b.csv"}


def test_an_override_names_a_file_from_where_it_is_typed(tmp_path: Path, elsewhere: Path) -> None:
    found = files_of(load(tmp_path, "task.files.test=c.csv"))
    assert found == {"train": tmp_path / "mine" / "a.csv", "test": elsewhere / "c.csv"}
    assert files_of(load(tmp_path, "task.files={train: d.csv}")) == {"train": elsewhere / "d.csv"}


def test_a_folder_beside_the_experiment_wins_over_one_of_the_working_directory(tmp_path: Path, elsewhere: Path) -> None:
    (elsewhere / "bert").mkdir()
    assert load(tmp_path).teacher.model == str(elsewhere / "bert")  # as before there was such a rule
    (tmp_path / "mine" / "bert").mkdir()
    assert load(tmp_path).teacher.model == str(tmp_path / "mine" / "bert")
    assert load(tmp_path, "teacher.model=./bert").teacher.model == str(elsewhere / "bert")


def test_the_other_paths_follow_the_same_rule(tmp_path: Path) -> None:
    for name in ("data", "words", "first"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    task = {"name": "t", "text": ["text"], "labels": ["a", "b"], "path": "data"}
    sections = {
        "task": task,
        "distillation": {"initial": "first"},
        "evaluation": {"robustness": {"resources": "words"}},
    }
    found = load(tmp_path, **sections)
    assert found.task is not None and found.task.path == tmp_path / "mine" / "data"
    assert found.distillation.initial == str(tmp_path / "mine" / "first")
    assert found.evaluation.robustness.resources == tmp_path / "mine" / "words"


def test_a_snapshot_names_the_same_files_wherever_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = load(tmp_path)
    snapshot = tmp_path / "snapshot.yaml"
    snapshot.write_text(yaml.safe_dump(experiment.model_dump(mode="json")))
    monkeypatch.chdir(tmp_path)
    assert files_of(load_snapshot(snapshot)) == files_of(experiment)


@pytest.mark.parametrize("teacher", [3, [], None, {"model": 4}])
def test_a_path_that_is_none_is_told_as_any_other_wrong_value(teacher: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="teacher"):
        load(tmp_path, teacher=teacher, task={"name": "t", "text": ["text"], "files": {"train": 3}})
