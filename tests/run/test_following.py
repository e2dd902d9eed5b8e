from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from attacked_results import attacked, measured, record, results_of
from small_run import Quiet, write_experiment

from rosearch.config.file import load_experiment
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.run.course import Overall
from rosearch.run.following import Following
from rosearch.run.standing import Stage, StandingFile, read_standing
from rosearch.search import run_search


class Telling(Quiet):
    """An observer that remembers the whole as well."""

    def __init__(self) -> None:
        super().__init__()
        self.whole: list[Overall] = []
        self.stages: list[str] = []

    def overall(self, told: Overall) -> None:
        self.whole.append(told)

    def stage(self, record: Record, stage: str, done: int, total: int) -> None:
        self.stages.append(stage)


def test_an_observer_that_asks_for_it_is_told_the_whole(tmp_path: Path) -> None:
    results = results_of(tmp_path)
    assert results.teacher is not None
    found = record(1, measured(attacked("deepwordbug", "ssbb")))
    pending = replace(found, status="pending", measurements=None)
    telling = Telling()
    following = Following(results.experiment, [], StandingFile(tmp_path / "progress.json"), telling)
    following.measured(results.teacher)
    following.batch("generation 0", [pending])
    following.started(pending)
    following.stage(pending, "attack deepwordbug", 3, 10)
    standing = read_standing(tmp_path / "progress.json")
    assert standing is not None and standing.at_work[0].number == 1
    assert replace(standing.at_work[0].stage, since=0.0) == Stage("attack deepwordbug", 3, 10, 0.0)
    following.finished(found)
    assert [(one.done, one.best) for one in telling.whole] == [(0, None), (0, None), (0, None), (1, 1)]
    assert telling.titles == ["generation 0"] and telling.done == [found] and telling.stages == ["attack deepwordbug"]


def test_stages_of_the_driver_come_and_go(tmp_path: Path) -> None:
    following = Following(results_of(tmp_path).experiment, [], StandingFile(tmp_path / "progress.json"), Quiet())
    following.progress("teacher", 0, 3)
    standing = read_standing(tmp_path / "progress.json")
    assert standing is not None and [stage.name for stage in standing.own] == ["teacher"]
    following.progress("teacher", 3, 3)
    standing = read_standing(tmp_path / "progress.json")
    assert standing is not None and standing.own == ()


def test_a_search_leaves_its_stage_while_it_runs_and_nothing_at_its_end(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, load_experiment(write_experiment(tmp_path)))
    seen: list[str] = []

    class Looking(Telling):
        def started(self, record: Record) -> None:
            standing = read_standing(run.standing)
            assert standing is not None
            seen.extend(f"#{one.number} {one.stage.name}" for one in standing.at_work)

    telling = Looking()
    run_search(run, telling)
    assert seen == [f"#{number} start" for number in range(1, 8)]
    assert not run.standing.exists() and (telling.whole[-1].done, telling.whole[-1].of) == (7, 7)
    assert {"open", "build", "distil", "quality", "efficiency"} <= set(telling.stages)


def test_an_interrupted_search_leaves_no_stage(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, load_experiment(write_experiment(tmp_path)))

    class Stopping(Quiet):
        def started(self, record: Record) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_search(run, Stopping())
    assert not run.standing.exists()
