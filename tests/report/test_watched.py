from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from report.made_records import make_genotype, make_measurements, make_record
from report.made_run import make_run
from small_run import write_experiment

import rosearch.report.page as page_module
import rosearch.report.watched as watched_module
from rosearch.config.file import load_experiment
from rosearch.errors import RunError
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.report.watched import Watched, WatchedPage
from rosearch.run.results import Results


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run whose page is told in a line: test_serving.py serves a whole one."""

    def render(runs: Sequence[Results], version: str, live: str) -> str:
        return f"{live} of {[record.number for record in runs[0].records]}"

    monkeypatch.setattr(page_module, "render_page", render)
    return make_run(tmp_path, 8).run


def add(run: RunDirectory) -> int:
    with Store.open(run.store) as store:
        number, genotype = store.last_number() + 1, make_genotype(random.Random(99), nodes=6)
        store.propose([make_record(number, genotype, make_measurements(genotype))])
    return number


def test_records_are_read_again_only_where_they_changed(tmp_path: Path) -> None:
    watched = Watched(RunDirectory.create(tmp_path, load_experiment(write_experiment(tmp_path))))
    assert watched.results() is watched.results()


def test_a_page_that_is_current_is_made_once(run: RunDirectory) -> None:
    page = WatchedPage([run])
    made = page.page()
    assert page.page() is made and made.startswith(f"{page.look().edition} of [1, 2,")


def test_what_is_recorded_makes_another_edition(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_module, "_SHARE", 1e9)
    page = WatchedPage([run])
    before, edition = page.page(), page.look().edition
    number = add(run)
    assert page.look().edition != edition
    assert f" {number}]" not in before and f" {number}]" in page.page()
    assert page.look().edition in page.page()


def test_a_page_is_not_made_again_before_its_time(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_module, "_SHARE", 1e-9)
    page = WatchedPage([run])
    made, edition = page.page(), page.look().edition
    add(run)
    assert page.look().edition == edition and page.page() is made


def test_the_page_says_whether_a_search_works_on_the_run(run: RunDirectory) -> None:
    page = WatchedPage([run])
    assert page.look().state == "no search works on this run"
    with run.lock():
        assert page.look().state == "the search goes on"


def test_of_a_run_that_is_gone_the_last_page_stays_and_the_reason_is_told(run: RunDirectory) -> None:
    page = WatchedPage([run])
    made = page.page()
    shutil.rmtree(run.path)
    assert page.page() is made
    assert page.look().problem == f"{run.path}: the run is gone: its records do not lie there any more"


def test_of_a_run_that_is_damaged_the_last_page_stays_and_the_reason_is_told(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_module, "_SHARE", 1e9)
    page = WatchedPage([run])
    made = page.page()
    run.store.write_bytes(b"no database" * 1000)
    assert page.page() is made and "damaged" in page.look().problem


def test_where_no_page_could_be_made_yet_the_reason_is_raised(run: RunDirectory) -> None:
    run.store.write_bytes(b"no database" * 1000)
    with pytest.raises(RunError, match="damaged"):
        WatchedPage([run]).page()
