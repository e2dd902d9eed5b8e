from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from compatibility.small_search import RECORDED

from tests.equal_records import differences, facts


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Two equal folders, each with the recorded run and what a command printed."""
    for side in ("old", "new"):
        shutil.copytree(RECORDED / "small-0001", tmp_path / side / "runs" / "small-0001")
        (tmp_path / side / "printed").mkdir()
        printed = {"seconds": {"distil": 1.0}, "front": [{"id": "a", "quality": 0.5}], "latency": [{"median_ms": 2.0}]}
        (tmp_path / side / "printed" / "status.json").write_text(json.dumps(printed))
    return tmp_path / "old", tmp_path / "new"


def different(sides: tuple[Path, Path]) -> list[str]:
    return differences(facts(sides[0]), facts(sides[1]))


def test_equal_folders_have_many_facts_and_no_difference(sides: tuple[Path, Path]) -> None:
    assert len(facts(sides[0])) > 300
    assert different(sides) == []


def test_times_are_passed_over_but_not_their_keys(sides: tuple[Path, Path]) -> None:
    printed = sides[1] / "printed" / "status.json"
    data = json.loads(printed.read_text())
    printed.write_text(json.dumps(data | {"seconds": {"distil": 9.0}}))
    assert different(sides) == []
    del data["seconds"]
    printed.write_text(json.dumps(data))
    assert different(sides) == ["printed/status.json: seconds: a time -> (missing)"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE records SET seed = seed + 1 WHERE number = 2", "seed"),
        ("UPDATE records SET origin = 'elsewhere' WHERE number = 2", "origin"),
        ("UPDATE records SET seconds = '{}' WHERE number = 2", None),
        ("UPDATE meta SET value = 'false' WHERE key = 'finished'", "meta.finished"),
    ],
)
def test_a_changed_record_is_named(sides: tuple[Path, Path], change: str, where: str | None) -> None:
    with sqlite3.connect(sides[1] / "runs" / "small-0001" / "records.sqlite") as connection:
        connection.execute(change)
    found = different(sides)
    assert len(found) == (where is not None)
    assert where is None or where in found[0]


def test_bytes_of_weights_and_files_that_one_side_lacks_are_named(sides: tuple[Path, Path]) -> None:
    for side, content in zip(sides, (b"1", b"2"), strict=True):
        (side / "model.safetensors").write_bytes(content)
    (sides[0] / "windowed.py").write_text("code is no record")
    (sides[0] / "plans").mkdir()
    (sides[0] / "plans" / "0a.json").write_text("[]")
    assert [line.split(": ")[0] for line in different(sides)] == ["model.safetensors", "plans/0a.json"]
