"""Trackers of experiments, told of a search as it goes on: `execution.track: [tensorboard, mlflow, wandb, trackio]`.

>>> with tracked(run, experiment, yardstick, records, observer) as observer:
...     observer.finished(record)

Their packages come with the extra `track`, and Trackio with the extra `trackio`, on transformers 5. Each tracker
is imported and called in a thread of its own, and whatever becomes of it, the search and its records are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

from rosearch.config.experiment import Experiment
from rosearch.errors import MissingResource
from rosearch.evolution.fitness import Yardstick
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.run.observer import Observer
from rosearch.run.tracking.lane import Lane
from rosearch.run.tracking.row import Rows
from rosearch.run.tracking.tracker import Tracked, Tracker
from rosearch.run.tracking.tracking import Tracking


def _tensorboard(told: Tracked) -> Tracker:
    from rosearch.run.tracking.tensorboard import TensorBoard

    return TensorBoard(told)


def _mlflow(told: Tracked) -> Tracker:
    from rosearch.run.tracking.mlflow import MLflow

    return MLflow(told)


def _wandb(told: Tracked) -> Tracker:
    from rosearch.run.tracking.wandb import WandB

    return WandB(told)


def _trackio(told: Tracked) -> Tracker:
    from rosearch.run.tracking.trackio import Trackio

    return Trackio(told)


# By their names in an experiment, which are those of their packages.
TRACKERS: dict[str, Callable[[Tracked], Tracker]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
    "wandb": _wandb,
    "trackio": _trackio,
}


def require_trackers(names: Collection[str]) -> None:
    """Raises `MissingResource` with the trackers whose package is not installed, and with what Trackio lacks."""
    missing = []
    if absent := [name for name in names if name != "trackio" and not _is_installed(name)]:
        are = "is" if len(absent) == 1 else "are"
        what = f"{' and '.join(absent)} {are} not installed"
        missing.append(MissingResource(what, 'pip install "rosearch[track]"', "execution.track"))
    if "trackio" in names:
        from rosearch.run.tracking.trackio import lacking

        missing += lacking(_is_installed("trackio"))
    if missing:
        first, *others = missing
        raise MissingResource(first.what, first.advice, first.where, others)


def _is_installed(name: str) -> bool:
    """False for a folder of that name alone, such as W&B leaves where it was called: Python takes it for a package."""
    found = find_spec(name)
    return found is not None and found.origin is not None


@contextmanager
def tracked(
    run: RunDirectory, experiment: Experiment, yardstick: Yardstick, records: Sequence[Record], observer: Observer
) -> Iterator[Observer]:
    """An observer that passes everything on to `observer`, then to the trackers of the experiment.

    They are told of the earlier `records` that they lack, too. `observer` gets one note of a tracker that is left out.
    """
    names = experiment.execution.track
    if not names:
        yield observer
        return
    lanes = [_lane(name, run, experiment, yardstick) for name in names]
    tracking = Tracking(observer, lanes)
    tracking.begin(records)
    try:
        yield tracking
    except BaseException:
        tracking.close(ended=False)
        raise
    tracking.close(ended=True)


def _lane(name: str, run: RunDirectory, experiment: Experiment, yardstick: Yardstick) -> Lane:
    return Lane(name, lambda: TRACKERS[name](Tracked.of(name, run, experiment)), Rows(yardstick))
