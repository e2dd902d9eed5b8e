"""What Trackio's own store shows of a real search, and what Trackio lacks where it cannot be."""

from __future__ import annotations

import math
import socket
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from run.tracking.real_search import rows_of, tracked_search

from rosearch.errors import MissingResource, RunError
from rosearch.run.tracking import require_trackers, trackio
from rosearch.run.tracking.row import Row
from rosearch.run.tracking.tracker import Tracked

NEEDED = pytest.mark.skipif(find_spec("trackio") is None, reason="needs trackio, which asks for transformers 5")


@pytest.mark.parametrize("found", ["0.36.2", "1.9.2"])
def test_an_old_hub_is_told_before_what_is_not_installed(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setattr(trackio, "version", lambda name: found)
    told = f"execution.track: trackio needs transformers 5 .* 1.10 or newer, found huggingface-hub {found}; install"
    with pytest.raises(MissingResource, match=told):
        require_trackers(["trackio"])


def test_what_is_not_installed_is_told_in_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rosearch.run.tracking._is_installed", lambda name: False)
    monkeypatch.setattr(trackio, "version", lambda name: "1.10.0rc1")
    with pytest.raises(MissingResource) as caught:
        require_trackers(["trackio", "mlflow"])
    assert caught.value.lines == (
        'execution.track: mlflow is not installed; pip install "rosearch[track]"',
        "execution.track: trackio is not installed; pip install trackio",
    )
    monkeypatch.setattr("rosearch.run.tracking._is_installed", lambda name: True)
    require_trackers(["trackio", "mlflow"])


@pytest.mark.parametrize("name", ["TRACKIO_BUCKET_ID", "TRACKIO_DATASET_ID"])
def test_a_store_that_would_ask_the_hub_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "me/mine")
    with pytest.raises(RunError, match=f"{name} is set"):
        trackio.Trackio(Tracked(tmp_path / "run-0001", "small", tmp_path, "word", {}, ()))


def test_a_process_whose_trackio_keeps_another_store_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    there = SimpleNamespace(TRACKIO_DIR=tmp_path / "other", SQLiteStorage=None)
    monkeypatch.setitem(sys.modules, "trackio", SimpleNamespace(sqlite_storage=there))
    monkeypatch.setitem(sys.modules, "trackio.sqlite_storage", there)
    with pytest.raises(RunError, match=r"set TRACKIO_DIR, or search in a process of its own: .*other$"):
        trackio.Trackio(Tracked(tmp_path / "run-0001", "small", tmp_path, "word", {}, ()))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Trackio as in a new process, with a token of the hub and no network; all that was asked of that."""
    for name in ("TRACKIO_DIR", "TRACKIO_BUCKET_ID", "TRACKIO_DATASET_ID", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_none")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # a hub that is asked is to be seen
    for name in [name for name in sys.modules if name.partition(".")[0] == "trackio"]:
        monkeypatch.delitem(sys.modules, name)
    asked: list[Any] = []

    def refuse(*told: Any, **_: Any) -> Any:
        asked.append(told)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


def store() -> Any:
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage


@pytest.mark.track
@NEEDED
@pytest.mark.filterwarnings("ignore")
def test_trackio_shows_the_records_once_each_and_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: list[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKIO_SPACE_ID", "me/mine")  # where `trackio.init` would send
    results = tracked_search(tmp_path, "trackio", monkeypatch)
    from trackio import Api

    assert (results.run.path / "tracking" / "trackio" / "small.db").is_file()
    (run,) = Api().runs("small")
    told = Tracked.of("trackio", results.run, results.experiment)
    assert (run.id, run.name) == (told.word, results.run.path.name)
    assert run.config == {**told.parameters, "run": str(results.run.path.resolve())}
    logs = store().get_logs("small", run_id=run.id)
    rows = rows_of(results)
    assert [log.pop("step") for log in logs] == [row.number for row in rows]
    for log, row in zip(logs, rows, strict=True):
        del log["timestamp"]
        texts = {f"{row.role}/{name}": text for name, text in row.words.items()}
        assert log == {**row.figures, **texts, f"{row.role}/genotype": row.genotype}
    assert alone == [] and "trackio" not in "".join(capfd.readouterr()).lower()


@pytest.mark.track
@NEEDED
@pytest.mark.filterwarnings("ignore")
def test_a_store_of_the_users_own_gets_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: list[Any]
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "shared"))
    figures = {"candidate/seconds/attack mine:build(2)@5%é": 2.5, "candidate/flops": 133_123_457.0}
    row = Row(7, "candidate", figures, {"failed with": "no file \udce9"}, '"' + "n" * 1_000_000 + '"')
    told = Tracked(tmp_path / "run-0001", "registry-v1.2", tmp_path / "own", "word", {"a": "x" * 7000, "b": ""}, ())
    for there in (told, replace(told, run=tmp_path / "moved" / "run-0001")):
        tracker = trackio.Trackio(there)
        tracker.write(row)  # a second time: a kill may have come before it was known
        tracker.write(replace(row, number=3))
        assert tracker.known() == {7, 3}
    logs = store().get_logs("search-registry-v1-2-run", run_id="word")
    assert [log["step"] for log in logs] == [7, 3]
    assert {name: logs[0][name] for name in figures} == figures
    assert logs[0]["candidate/failed with"] == "no file ?" and len(logs[0]["candidate/genotype"]) == 1_000_002
    config = store().get_run_config("search-registry-v1-2-run", "run-0001", run_id="word")
    assert config == {"a": "x" * 7000, "b": "", "run": str(tmp_path / "moved" / "run-0001")}
    assert not (tmp_path / "own").exists() and alone == []


@pytest.mark.track
@NEEDED
@pytest.mark.filterwarnings("ignore")
def test_trackio_reads_a_word_for_what_is_no_number_as_a_number(tmp_path: Path, alone: list[Any]) -> None:
    tracker = trackio.Trackio(Tracked(tmp_path / "run-0001", "small", tmp_path / "own", "word", {}, ()))
    tracker.write(Row(1, "candidate", {"candidate/fitness": 0.5}, {"label": "NaN", "origin": "nan"}, "{}"))
    (log,) = store().get_logs("small", run_id="word")
    assert math.isnan(log["candidate/label"]) and log["candidate/origin"] == "nan"


@pytest.mark.track
@NEEDED
@pytest.mark.filterwarnings("ignore")
def test_a_store_that_is_damaged_raises(tmp_path: Path, alone: list[Any]) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "small.db").write_text("no database" * 1000)
    tracker = trackio.Trackio(Tracked(tmp_path / "run-0001", "small", tmp_path / "own", "word", {}, ()))
    with pytest.raises(Exception, match="not a database"):
        tracker.known()
