"""A small search with a real tracker: stopped after three candidates, gone on with, and called once more at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from small_run import Quiet, write_experiment

from rosearch.config.file import load_experiment
from rosearch.evolution.fitness import Yardstick
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results
from rosearch.run.tracking import tracking
from rosearch.run.tracking.row import Row, Rows
from rosearch.search import run_search


class _Observer(Quiet):
    def __init__(self, stop: bool = False) -> None:
        super().__init__()
        self._stop = stop
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def batch(self, title: str, records: Sequence[Record]) -> None:
        if self._stop and title != "generation 0":
            raise KeyboardInterrupt


def tracked_search(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Results:
    """The results of the search, no tracker of which was left out."""
    monkeypatch.setattr(tracking, "FLUSH_S", 300.0)  # a crowded machine takes its time to import them
    execution = {"workers": 0, "device": "cpu", "keep_students": "all", "track": [name]}
    path = write_experiment(folder, execution=execution, finalists={"count": 1})
    run = RunDirectory.create(folder, load_experiment(path))
    with pytest.raises(KeyboardInterrupt):
        run_search(run, _Observer(stop=True))
    for _ in range(2):
        observer = _Observer()
        results = run_search(run, observer)
        assert [note for note in observer.notes if "execution.track" in note] == []
    return results


def rows_of(results: Results) -> list[Row]:
    """What trackers should have of the records, by the records themselves."""
    assert results.teacher is not None
    rows = Rows(Yardstick.of(results.experiment.fitness, results.teacher))
    return [rows.of(record) for record in results.records]
