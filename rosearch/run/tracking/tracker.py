"""A tracker of experiments, as its thread sees it, and all that it is told of a run when it is opened."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from rosearch.config.experiment import Experiment
from rosearch.files import write_whole
from rosearch.records.run_directory import RunDirectory
from rosearch.run.tracking.row import Row

Parameter = str | int | float | bool


class Tracker(Protocol):
    """Opened, asked what it has, told the rest row by row, closed. All it raises ends it and nothing else."""

    def known(self) -> Collection[int]:
        """Numbers of the records that it has from earlier starts of the run."""

    def write(self, row: Row) -> None:
        """Takes a record. Once it returns, a kill loses no more than the tracker itself loses."""

    def close(self, ended: bool) -> None:
        """Writes what it holds back. `ended` is False where the search was stopped before its end."""


@dataclass(frozen=True)
class Tracked:
    """A run as a tracker is told of it."""

    run: Path  # the folder of the run, absolute
    experiment: str  # its name
    folder: Path  # of the tracker, below the run; it exists
    word: str  # stands for the run in the tracker, at every start and wherever the folder lies
    parameters: Mapping[str, Parameter]  # the experiment, flat
    files: tuple[Path, ...]  # snapshots of experiment and search space

    @classmethod
    def of(cls, name: str, run: RunDirectory, experiment: Experiment) -> Self:
        """The run as the tracker of that name is told of it. Makes its folder."""
        folder = run.place("tracking", name)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(
            run=run.path.resolve(),
            experiment=experiment.name,
            folder=folder.resolve(),
            word=_word(run.place("tracking", f"{name}.id")),
            parameters=dict(_flat(experiment.model_dump(mode="json"))),
            files=(run.experiment_file, run.search_space),
        )


def _word(path: Path) -> str:
    """The random word in a file, which is made before anything is told a tracker."""
    if path.is_file() and (word := path.read_text().strip()):
        return word
    word = f"{secrets.randbits(64):016x}"
    write_whole(path, word + "\n")
    return word


def _flat(section: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Parameter]]:
    """Each key with the path of its section, as `evolution.candidates`; lists as JSON."""
    for key, value in section.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{key}.")
        elif isinstance(value, str | int | float | bool):
            yield f"{above}{key}", value
        else:
            yield f"{above}{key}", "none" if value is None else json.dumps(value, ensure_ascii=False)
