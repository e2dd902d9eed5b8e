from __future__ import annotations

from pathlib import Path

import pytest
from command_line import rosearch
from small_run import Quiet, write_experiment

from rosearch.config.file import load_experiment
from rosearch.records.run_directory import RunDirectory
from rosearch.run.cache import kinds_of
from rosearch.search import cache_folder, run_search
from rosearch.terminal.folders import age_words, size_words


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("folders")
    small = {"candidates": 2, "population": 2, "elite": 1}
    experiment = load_experiment(write_experiment(folder, evolution=small))
    return run_search(RunDirectory.create(folder / "runs", experiment), Quiet()).run


def test_runs_are_a_table_with_a_line_for_what_cannot_be_read(run: RunDirectory, tmp_path: Path) -> None:
    printed = rosearch("runs", cwd=run.path.parents[1]).stdout
    assert "Runs in runs" in printed and "small-0001" in printed and "2 of 2" in printed and "finished" in printed
    (tmp_path / "runs" / "broken-0001").mkdir(parents=True)
    (tmp_path / "runs" / "broken-0001" / "records.sqlite").write_bytes(b"none")
    printed = rosearch("runs", cwd=tmp_path).stdout
    assert "unreadable" in printed and "broken-0001: " in printed


def test_the_cache_is_shown_and_only_removed_after_a_question_or_with_yes(run: RunDirectory) -> None:
    folder, cache = run.path.parents[1], cache_folder(run)
    assert "encoded" in rosearch("cache", cwd=folder).stdout
    before = kinds_of(cache)
    refused = rosearch("cache", "--remove", "all", cwd=folder, expect=2)
    assert "--yes" in refused.stderr and kinds_of(cache) == before
    assert "expected all, or one of" in rosearch("cache", "--remove", "nonsense", cwd=folder, expect=2).stderr
    told = rosearch("cache", "--remove", "outputs", "--yes", cwd=folder).stdout
    assert "removed outputs" in told and [kind.name for kind in kinds_of(cache)] == [
        kind.name for kind in before if kind.name != "outputs"
    ]
    everything = rosearch("cache", "--remove", "all", "--yes", "--json", cwd=folder).data
    assert everything["kinds"] == [] and everything["bytes_freed"] > 0 and "encoded" in everything["removed"]


def test_sizes_and_ages_are_told_in_the_unit_that_fits() -> None:
    assert [size_words(count) for count in (12, 1500, 123_456, 3_400_000, 2_500_000_000)] == [
        "12 B",
        "1.5 kB",
        "123 kB",
        "3.4 MB",
        "2.5 GB",
    ]
    assert [age_words(seconds) for seconds in (40, 200, 5 * 86400)] == ["40 s", "3 min", "5 days"]
