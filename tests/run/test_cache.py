from __future__ import annotations

from pathlib import Path

import pytest
from small_run import Quiet, outcomes, write_experiment

from rosearch.config.file import load_experiment
from rosearch.errors import RunError
from rosearch.files import try_lock
from rosearch.records.run_directory import RunDirectory
from rosearch.run.cache import KINDS, bytes_below, find_cache, kinds_of, remove_kinds, users_of
from rosearch.search import cache_folder, run_search


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A finished run with its cache."""
    small = {"candidates": 2, "population": 2, "elite": 1}
    experiment = load_experiment(write_experiment(tmp_path, evolution=small))
    return run_search(RunDirectory.create(tmp_path / "runs", experiment), Quiet()).run


def test_every_folder_that_a_search_makes_is_a_kind_with_its_size(run: RunDirectory) -> None:
    cache = cache_folder(run)
    kinds = {kind.name: kind for kind in kinds_of(cache)}
    assert {path.name for path in cache.iterdir() if any(path.iterdir())} == set(kinds)
    assert {"encoded", "outputs", "yardsticks"} <= set(kinds) <= set(KINDS)
    assert kinds["encoded"].bytes == bytes_below(cache / "encoded") > 0
    assert [kind.bytes for kind in kinds_of(cache)] == sorted((k.bytes for k in kinds.values()), reverse=True)


def test_a_cache_is_found_below_runs_or_as_it_is(run: RunDirectory, tmp_path: Path) -> None:
    assert find_cache(run.path.parent) == find_cache(cache_folder(run)) == cache_folder(run)
    (tmp_path / ".rosearch" / "plans").mkdir(parents=True)
    assert find_cache(tmp_path / ".rosearch") == tmp_path / ".rosearch"
    with pytest.raises(RunError, match="expected a folder of runs with a cache"):
        find_cache(tmp_path / "teacher")


def test_what_is_removed_is_made_anew_to_the_same_records(run: RunDirectory) -> None:
    cache, experiment = cache_folder(run), run.experiment()
    before = outcomes(run_search(run, Quiet()).records)
    removed = ["encoded", "outputs", "yardsticks"]
    assert remove_kinds(cache, removed) > 0
    assert {kind.name for kind in kinds_of(cache)}.isdisjoint(removed)
    again = run_search(RunDirectory.create(run.path.parent, experiment), Quiet())
    assert outcomes(again.records) == before


def test_nothing_is_removed_while_a_search_runs(run: RunDirectory) -> None:
    cache = cache_folder(run)
    before = kinds_of(cache)
    with run.lock():
        assert users_of(cache) == [(run.path, True)]
        with pytest.raises(RunError, match=r"small-0001 is running\. Nothing was removed"):
            remove_kinds(cache, list(KINDS))
    assert kinds_of(cache) == before and users_of(cache) == []


def test_what_a_process_makes_now_stays(run: RunDirectory) -> None:
    cache = cache_folder(run)
    first = next(path for path in sorted((cache / "encoded").iterdir()) if path.suffix != ".lock")
    lock = try_lock(first.with_suffix(".lock"))
    assert lock is not None
    try:
        remove_kinds(cache, ["encoded"])
    finally:
        lock.release()
    assert [kind.entries for kind in kinds_of(cache) if kind.name == "encoded"] == [1] and first.exists()


def test_links_out_of_a_cache_are_neither_counted_nor_followed(run: RunDirectory, tmp_path: Path) -> None:
    cache, outside = cache_folder(run), tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_bytes(b"x" * 10_000)
    (cache / "plans").symlink_to(outside)
    assert "plans" not in {kind.name for kind in kinds_of(cache)}
    remove_kinds(cache, ["plans"])
    assert (outside / "mine").exists()


def test_a_run_with_work_left_will_need_its_cache_again(run: RunDirectory) -> None:
    begun = RunDirectory.create(run.path.parent, run.experiment())
    assert users_of(cache_folder(run)) == [(begun.path, False)]
