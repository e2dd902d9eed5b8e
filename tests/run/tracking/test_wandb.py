"""What lies in the offline files of Weights & Biases after a real search."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from run.tracking.real_search import rows_of, tracked_search

from rosearch.run.tracking.wandb import project_name

_BLOCK = 32 * 1024  # of LevelDB's log format, in which W&B writes; its first 7 bytes are W&B's own


def test_a_project_keeps_what_wandb_takes() -> None:
    assert project_name("sst2/robust #1: 50%?") == "sst2-robust -1- 50--"
    assert len(project_name("long" * 100)) == 128


def logged(file: Path) -> Iterator[bytes]:
    """The entries of a log: each piece has a checksum (4 bytes), a length (2) and a kind (1)."""
    data, place, entry = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if _BLOCK - place % _BLOCK < 7:
            place += _BLOCK - place % _BLOCK
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        entry += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield entry
            entry = b""


def records(file: Path) -> list[Any]:
    from wandb.proto.wandb_internal_pb2 import Record

    return [Record.FromString(entry) for entry in logged(file)]


@pytest.mark.track
@pytest.mark.filterwarnings("ignore")
def test_wandb_is_given_the_records_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    results = tracked_search(tmp_path, "wandb", monkeypatch)
    files = sorted((results.run.path / "tracking" / "wandb").glob("offline-run-*/*.wandb"))
    found = [record for file in files for record in records(file)]
    assert len({record.run.run_id for record in found if record.WhichOneof("record_type") == "run"}) == 1
    history = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in found
        if record.WhichOneof("record_type") == "history"
    ]
    rows = rows_of(results)
    assert [row["number"] for row in history] == [row.number for row in rows]
    for told, row in zip(history, rows, strict=True):
        assert row.figures.items() <= told.items() and told[f"{row.role}/genotype"] == row.genotype
        assert {f"{row.role}/{name}": text for name, text in row.words.items()}.items() <= told.items()
    assert "wandb" not in "".join(capfd.readouterr())
