from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_run import Quiet, write_experiment

from rosearch.config.file import load_experiment
from rosearch.errors import RunError
from rosearch.records.run_directory import RunDirectory
from rosearch.run.listing import list_runs
from rosearch.search import run_search


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, one that has only begun, one that is damaged, and what is no run."""
    folder = tmp_path_factory.mktemp("several")
    small = {"candidates": 2, "population": 2, "elite": 1}
    experiment = load_experiment(write_experiment(folder, evolution=small))
    runs = folder / "runs"
    run_search(RunDirectory.create(runs, experiment), Quiet())
    for age in (3000, 2000, 1000):
        run = RunDirectory.create(runs, experiment) if age < 3000 else RunDirectory(runs / "small-0001")
        moment = run.search_space.stat().st_mtime - age
        os.utime(run.search_space, (moment, moment))
    (runs / "small-0003" / "records.sqlite").write_bytes(b"no database")
    (runs / "notes").mkdir()
    (runs / "notes.txt").write_text("mine")
    return runs


def test_runs_are_listed_newest_first_with_their_state_and_progress(runs: Path) -> None:
    found = list_runs(runs)
    assert [run.name for run in found] == ["small-0003", "small-0002", "small-0001"]
    damaged, begun, finished = found
    assert (finished.state, finished.done, finished.of, finished.candidates) == ("finished", 2, 2, 2)
    assert finished.best is not None and finished.problem == ""
    assert (begun.state, begun.done, begun.of, begun.best) == ("interrupted", 0, 2, None)
    assert finished.bytes > begun.bytes > 0
    assert 3000 <= finished.age_seconds < 4000 and 2000 <= begun.age_seconds < 3000
    assert damaged.state == "unreadable" and "small-0003" in damaged.problem


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a folder of runs, got no such folder"):
        list_runs(tmp_path / "none")
    assert list_runs(tmp_path) == []
