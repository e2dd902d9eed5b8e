"""The runs below a folder at a glance; one that cannot be read is listed with the reason.

>>> [(run.name, run.state, run.done, run.of) for run in list_runs(Path("runs"))]
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rosearch.errors import RosearchError, RunError, one_line
from rosearch.records.run_directory import RunDirectory
from rosearch.run.cache import bytes_below
from rosearch.run.results import open_results


@dataclass(frozen=True)
class ListedRun:
    """One run. `done` and `of` count students: baselines, candidates and finalists."""

    name: str
    path: Path
    state: str  # finished, running, interrupted, or unreadable
    done: int
    of: int
    best: float | None  # the highest fitness of a candidate that passed the gates
    candidates: int  # that are measured or failed
    bytes: int
    age_seconds: float  # since it began
    problem: str = ""  # why it cannot be read


def list_runs(folder: Path, now: float | None = None) -> list[ListedRun]:
    """The runs below a folder, the newest first. Raises `RunError` where there is no such folder."""
    if not folder.is_dir():
        raise RunError(f"{folder}: expected a folder of runs, got no such folder")
    now = time.time() if now is None else now
    return sorted(_listed(folder, now), key=lambda run: run.age_seconds)


def _listed(folder: Path, now: float) -> Iterator[ListedRun]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not RunDirectory.is_run(path):
            continue
        try:
            yield _look(path, now)
        except (RosearchError, OSError) as error:
            told = one_line(error, 300)
            yield ListedRun(path.name, path, "unreadable", 0, 0, None, 0, bytes_below(path), _age(path, now), told)


def _look(path: Path, now: float) -> ListedRun:
    results = open_results(path)
    whole = results.overall
    tried = results.counts["candidate", "done"] + results.counts["candidate", "failed"]
    size, age = bytes_below(path), _age(path, now)
    return ListedRun(path.name, path, results.state, whole.done, whole.of, whole.fitness, tried, size, age)


def _age(path: Path, now: float) -> float:
    """Seconds since the snapshots were written, which is the first thing that a run does."""
    for place in (path / "search_space.yaml", path):
        try:
            return round(max(0.0, now - place.stat().st_mtime), 1)
        except OSError:
            continue
    return 0.0
