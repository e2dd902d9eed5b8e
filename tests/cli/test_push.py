"""A push lists what it sends, and sends nothing that was not confirmed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import rosearch
from export.exported import exported
from export.hub_stand_in import StandIn, connected
from report.made_run import make_run


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with connected(monkeypatch) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("pushed"))


def test_a_push_lists_every_file_and_the_place_and_json_has_both(hub: StandIn, folder: Path) -> None:
    asked = ("export", "out", "--push-to-hub", "me/student", "--yes")
    told = rosearch(*asked, cwd=folder.parent).stdout
    names = {path.name for path in folder.iterdir()}
    assert all(name in told for name in names) and "to the new private repository me/student" in told
    assert f"Sent: {hub.address}/me/student" in told
    pushed = rosearch(*asked, "--public", "--json", cwd=folder.parent).data["pushed"]
    assert {*pushed["files"]} == names and pushed["private"] is False and pushed["repository"] == "me/student"


def test_what_nobody_confirms_is_not_sent(hub: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("export", "out", "--push-to-hub", "me/student")
    told = rosearch(*asked, cwd=folder.parent, expect=2).stderr
    assert "give --yes with it" in told
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", _no)
    assert "files, " in rosearch(*asked, cwd=folder.parent, expect=1).stdout
    assert hub.asked == []


def _no(question: str, abort: bool) -> None:
    import typer

    assert abort and question == "Send them?"
    raise typer.Abort


def test_without_the_flag_nothing_is_sent_and_its_options_are_refused(hub: StandIn, folder: Path) -> None:
    for option in ("--public", "--yes"):
        told = rosearch("export", "out", "--target", "hf", option, cwd=folder.parent, expect=2).stderr
        assert "it goes with --push-to-hub" in told
    assert hub.asked == []


def test_a_whole_run_as_a_file_is_not_pushed(hub: StandIn, tmp_path: Path) -> None:
    run = make_run(tmp_path, 3).run.path
    given = ("export", run, "--format", "parquet", "--to", "all.parquet", "--push-to-hub", "me/run", "--yes")
    assert "--push-to-hub" in rosearch(*given, cwd=tmp_path, expect=2).stderr
    assert hub.asked == [] and not (tmp_path / "all.parquet").exists()
