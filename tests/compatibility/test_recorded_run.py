"""A run that commit 903f695 made: it opens, and the same search proposes the same and prints the same keys today."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import rosearch
from compatibility.small_search import RECORDED, cache_keys, key_paths, proposals, search, shape, task_fingerprint

PRINTED = json.loads((RECORDED / "printed.json").read_text())
COMMANDS = [name for name in PRINTED if name not in ("cache", "checkpoint")]


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    return search(tmp_path_factory.mktemp("search"))


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A copy: SQLite writes files beside what it reads."""
    return Path(shutil.copytree(RECORDED / "small-0001", tmp_path / "small-0001"))


def test_an_equal_seed_proposes_the_recorded_candidates_in_the_recorded_order(
    today: tuple[Path, Any], recorded: Path
) -> None:
    assert proposals(today[0]) == proposals(recorded)


def test_rows_plans_and_tokens_are_cached_under_the_recorded_keys(today: tuple[Path, Any], recorded: Path) -> None:
    assert cache_keys(today[0]) == PRINTED["cache"]
    assert task_fingerprint(today[0]) == task_fingerprint(recorded)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_recorded_key_is_printed(command: str, today: tuple[Path, dict[str, Any]]) -> None:
    recorded = key_paths(PRINTED[command])
    assert recorded
    assert not recorded - key_paths(today[1][command])


def test_a_checkpoint_holds_what_the_recorded_one_holds(today: tuple[Path, dict[str, Any]]) -> None:
    # A key more or less in `content` would be another training, and a killed one could not go on.
    assert key_paths(today[1]["checkpoint"]) == key_paths(PRINTED["checkpoint"])


def test_an_export_whose_code_had_other_file_names_is_replaced_when_asked(today: tuple[Path, Any]) -> None:
    run = today[0]
    exported = run.parents[1] / "exported"
    (exported / "local_operations.py").rename(exported / "windowed.py")  # as 903f695 wrote it
    best = proposals(run)[0][3]
    rosearch("export", run, "--id", best, "--to", exported, "--overwrite", cwd=run)
    assert (exported / "local_operations.py").is_file() and not (exported / "windowed.py").exists()


def test_the_recorded_run_is_read_as_it_was_written(recorded: Path) -> None:
    status = rosearch("status", recorded, "--json", cwd=recorded).data
    assert status["finished"] and status["counts"] == {"done": 4, "failed": 0, "running": 0, "pending": 0}
    assert key_paths(PRINTED["status"]) <= key_paths(shape(status))
    shown = rosearch("show", recorded, status["front"][0]["id"], "--json", cwd=recorded).data
    assert shown["seed"] in [row[7] for row in proposals(recorded)]
    stats = rosearch("stats", recorded, "--json", cwd=recorded).data
    assert all((recorded / "tables" / Path(path).name).is_file() for path in stats["files"])


def test_reading_the_recorded_run_does_not_change_its_records(recorded: Path) -> None:
    before = (recorded / "records.sqlite").read_bytes()
    rosearch("status", recorded, cwd=recorded)
    assert (recorded / "records.sqlite").read_bytes() == before
