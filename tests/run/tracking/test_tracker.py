from __future__ import annotations

from pathlib import Path

import pytest
from small_run import write_experiment

from rosearch.config.file import load_experiment
from rosearch.errors import RunError
from rosearch.records.run_directory import RunDirectory
from rosearch.run.tracking.tracker import Tracked


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, load_experiment(write_experiment(tmp_path, baselines=[])))


def test_a_tracker_is_told_the_run_and_every_key_of_its_experiment(run: RunDirectory) -> None:
    told = Tracked.of("fake", run, run.experiment())
    assert (told.run, told.experiment, told.folder) == (run.path, "small", run.path / "tracking" / "fake")
    assert told.folder.is_dir() and all(file.is_file() for file in told.files)
    chosen = ("evolution.candidates", "task.metric", "task.text", "evolution.hours", "execution.keep_students")
    assert [told.parameters[key] for key in chosen] == [7, "pearson", '["text"]', "none", "all"]


def test_a_run_keeps_its_word_for_each_tracker(run: RunDirectory) -> None:
    words = [Tracked.of(name, run, run.experiment()).word for name in ("one", "two", "one")]
    assert words[0] == words[2] != words[1] and len(words[0]) == 16
    (run.path / "tracking" / "one.id").write_text("")  # as a full disk may leave it
    assert Tracked.of("one", run, run.experiment()).word not in ("", words[0])


def test_a_link_out_of_the_run_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (run.path / "tracking").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="link"):
        Tracked.of("fake", run, run.experiment())
