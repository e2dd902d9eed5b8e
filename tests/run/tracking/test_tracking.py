"""Trackers beside a search: whatever they do, its records and its observer are as without them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from attacked_results import attacked, measured, record
from run.tracking.fakes import Failing, Hanging, Kept, opening
from small_run import Quiet, outcomes, write_experiment

from rosearch.config.execution import TrackerName
from rosearch.config.file import load_experiment
from rosearch.errors import BadInput, MissingResource
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.run import tracking as trackers
from rosearch.run.check import look_at
from rosearch.run.tracking import TRACKERS, require_trackers
from rosearch.run.tracking import tracking as watching
from rosearch.run.tracking.lane import Lane
from rosearch.run.tracking.tracking import Tracking
from rosearch.search import run_search

ALL = ["tensorboard", "mlflow", "wandb", "trackio"]


class Noting(Quiet):
    """Remembers notes, too."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    @property
    def left_out(self) -> list[str]:
        return [note for note in self.notes if note.startswith("execution.track")]


def prepare(folder: Path, monkeypatch: pytest.MonkeyPatch, *fakes: Callable[[], Kept]) -> RunDirectory:
    """A run with fakes in the places of the first trackers."""
    names = ALL[: len(fakes)]
    for name, fake in zip(names, fakes):
        monkeypatch.setitem(TRACKERS, name, lambda told, fake=fake: fake())
    execution = {"workers": 0, "device": "cpu", "keep_students": "all", "track": names}
    return RunDirectory.create(folder, load_experiment(write_experiment(folder, execution=execution)))


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    folder = tmp_path_factory.mktemp("without")
    return [*run_search(RunDirectory.create(folder, load_experiment(write_experiment(folder)))).records]


def test_every_tracker_of_an_experiment_is_listed_with_the_extra_that_brings_it() -> None:
    assert [*TRACKERS] == [*get_args(TrackerName)] == ALL
    extras = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert all(f'"{name}>=' in extras for name in TRACKERS)


def test_a_tracker_gets_every_record_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: list[Record]
) -> None:
    tracker, observer = Kept(), Noting()
    results = run_search(prepare(tmp_path, monkeypatch, lambda: tracker), observer)
    assert tracker.numbers == [record.number for record in results.records] == [*range(1, 8)]
    assert tracker.closed == [True] and observer.left_out == []
    assert outcomes(results.records) == outcomes(without)
    assert [one.number for one in observer.done] == tracker.numbers


def test_trackers_that_fail_or_hang_cost_a_search_nothing_but_the_time_to_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: list[Record]
) -> None:
    monkeypatch.setattr(watching, "FLUSH_S", 0.05)
    hanging, observer = Hanging(), Noting()
    failing = Failing("write", OSError("no space"))
    run = prepare(tmp_path, monkeypatch, opening(ImportError("no such library")), lambda: failing, lambda: hanging)
    results = run_search(run, observer)  # a search that waited for the last one would never end
    assert outcomes(results.records) == outcomes(without) and results.finished
    told = sorted(note.partition(". ")[0] for note in observer.left_out)
    assert told == sorted(f"execution.track: {name} is left out: {why}" for name, why in zip(ALL, REASONS))
    hanging.let_go.set()


REASONS = ("ImportError: no such library", "OSError: no space", "it was not ready at the end of the search")


def test_the_time_to_flush_is_shared_by_all_trackers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.0, 107.0])
    monkeypatch.setattr(watching.time, "monotonic", lambda: next(clock))
    waited: list[float] = []

    class Waited(Lane):
        def __init__(self) -> None:
            self.name, self.left_out = "fake", ""

        def close(self, ended: bool) -> None:
            pass

        def wait(self, seconds: float) -> None:
            waited.append(seconds)

    Tracking(Quiet(), [Waited(), Waited()]).close(ended=True)
    assert waited == [10.0, 3.0]


def test_a_resumed_search_gives_a_tracker_what_it_lacks_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Failing("known", ConnectionError("nobody answers"))
    run = prepare(tmp_path, monkeypatch, lambda: first)
    observer = Noting()
    run_search(run, observer)
    assert len(observer.left_out) == 1 and "rosearch resume" in observer.left_out[0]
    second = Kept(had=[2, 5])
    monkeypatch.setitem(TRACKERS, "tensorboard", lambda told: second)
    run_search(run, Noting())
    assert second.numbers == [1, 3, 4, 6, 7]


def test_a_search_that_is_stopped_says_so_to_its_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Kept()

    class Stopping(Quiet):
        def finished(self, record: Record) -> None:
            if record.number == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_search(prepare(tmp_path, monkeypatch, lambda: tracker), Stopping())
    assert (tracker.numbers, tracker.closed) == ([1, 2], [False])  # the third is told at the next start


def test_an_observer_is_told_before_the_trackers(tmp_path: Path) -> None:
    told: list[str] = []

    class First(Quiet):
        def finished(self, record: Record) -> None:
            told.append("observer")

    class Second(Lane):
        def __init__(self) -> None:
            self.name, self.left_out = "fake", ""

        def put(self, record: Record) -> None:
            told.append("tracker")

    tracking, found = Tracking(First(), [Second()]), record(1, measured(attacked("deepwordbug", "ssbb")))
    tracking.finished(found)
    assert told == ["observer", "tracker"]
    tracking.finished(replace(found, status="pending"))  # measured at a rung: it is not over
    assert told == ["observer", "tracker", "observer"]


def without_packages(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    real = importlib.util.find_spec
    found = {
        name: None if name in names else importlib.util.spec_from_loader(name, None, origin="here") for name in ALL
    }
    monkeypatch.setattr(trackers, "find_spec", lambda name: found.get(name) if name in found else real(name))


def test_a_tracker_that_is_not_installed_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_packages(monkeypatch, "mlflow", "wandb")
    require_trackers(["tensorboard"])
    told = r'execution\.track: mlflow is not installed; pip install "rosearch\[track\]"'
    with pytest.raises(MissingResource, match=told):
        look_at("quickstart", ["execution.track=[mlflow,tensorboard]"])
    with pytest.raises(MissingResource, match="mlflow and wandb are not installed"):
        run_search(load_experiment("quickstart", ["execution.track=[mlflow,wandb]"]), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_mere_folder_of_the_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder_of_a_tracker").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingResource, match="folder_of_a_tracker is not installed"):
        require_trackers(["folder_of_a_tracker"])


def test_a_wrong_name_is_told_with_the_one_that_is_meant() -> None:
    with pytest.raises(
        BadInput, match=r"expected one of tensorboard, mlflow, wandb, trackio.*Did you mean tensorboard\?"
    ):
        look_at("quickstart", ["execution.track=[tensorbord]"])
    with pytest.raises(BadInput, match="each once"):
        look_at("quickstart", ["execution.track=[mlflow,mlflow]"])
