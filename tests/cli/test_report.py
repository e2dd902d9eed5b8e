from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import rosearch
from report.made_run import make_run

RECORDED = Path(__file__).parents[1] / "compatibility/recorded/small-0001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(RECORDED, tmp_path / "run")
    return tmp_path


def test_a_run_of_an_older_version_becomes_a_page_in_its_folder(folder: Path) -> None:
    told = rosearch("report", "run", cwd=folder).stdout
    assert told.startswith("run/report.html (") and "open it in any browser" in told
    assert (folder / "run" / "report.html").read_text().startswith("<!doctype html>")


def test_the_page_goes_where_it_is_asked_and_several_runs_share_it(folder: Path) -> None:
    make_run(folder, 8, name="made")
    told = rosearch("report", "run", "made-0001", "--to", "pages/one.html", "--json", cwd=folder).data
    page = folder / "pages" / "one.html"
    assert told == {"file": "pages/one.html", "bytes": page.stat().st_size, "runs": ["run", "made-0001"]}
    assert not (folder / "run" / "report.html").exists() and "beside other runs" in page.read_text()


def test_a_run_beside_itself_is_refused_as_by_compare(folder: Path) -> None:
    shutil.copytree(folder / "run", folder / "copy")
    for again in ("run", "copy"):
        told = rosearch("report", "run", again, cwd=folder, expect=5).stderr
        assert f"{again}: expected each run once, got the records of run again" in told
    assert not (folder / "run" / "report.html").exists()


def test_a_folder_in_the_place_of_the_file_and_what_is_no_run_are_refused(folder: Path) -> None:
    assert (
        "expected a file, got the folder run" in rosearch("report", "run", "--to", "run", cwd=folder, expect=2).stderr
    )
    assert "expected the folder of a run" in rosearch("report", "run", "nowhere", cwd=folder, expect=5).stderr
    assert not (folder / "run" / "report.html").exists()


def test_figures_are_written_in_the_formats_that_are_asked(folder: Path) -> None:
    told = rosearch("figures", "run", "--to", "figs", "--format", "png,svg", "--json", cwd=folder).data
    assert {Path(path).suffix for path in told["files"]} == {".png", ".svg"}
    assert all((folder / path).is_file() for path in told["files"])
    assert "run/figures/front.svg" in rosearch("figures", "run", cwd=folder).stdout.splitlines()


def test_an_unknown_format_is_refused(folder: Path) -> None:
    told = rosearch("figures", "run", "--format", "svg,gif", cwd=folder, expect=2).stderr
    assert "expected svg, png, pdf" in told and "gif" in told
    assert not (folder / "run" / "figures").exists()
