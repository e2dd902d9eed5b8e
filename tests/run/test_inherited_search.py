"""Searches in which children start with their parents' weights: records, pruning, resume, damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_run import Quiet, write_experiment

from rosearch.config.file import load_experiment
from rosearch.measurements import Lineage
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results
from rosearch.search import run_search

LINEAGE = {"candidates": 9, "population": 3, "elite": 1}


def new_run(folder: Path, runs: str = "runs", **changes: Any) -> RunDirectory:
    settings = {
        "distillation": {"inherit": "parent"},
        "evolution": LINEAGE,
        "execution": {"keep_students": "front"},
        "finalists": {"count": 1, "replicates": 1},
    }
    path = write_experiment(
        folder, **{name: {**settings.get(name, {}), **changes.get(name, {})} for name in {**settings, **changes}}
    )
    return RunDirectory.create(folder / runs, load_experiment(path))


def lineage(record: Record) -> Lineage:
    assert record.measurements is not None and record.measurements.lineage is not None
    return record.measurements.lineage


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run_search(new_run(tmp_path_factory.mktemp("undisturbed")), Quiet())


def test_a_child_starts_with_the_weights_that_its_parent_ended_with(undisturbed: Results) -> None:
    by_id = {record.id: record for record in undisturbed.of("candidate")}
    children = [record for record in by_id.values() if record.parents]
    assert children and undisturbed.finished
    for child in children:
        told, parent = lineage(child), lineage(by_id[child.parents[0]])
        assert (told.origin, told.parent, told.parent_weights) == ("parent", child.parents[0], parent.weights)
        assert told.depth == parent.depth + 1 and told.inherited_steps == 4 + parent.inherited_steps
        assert 0 < told.share <= 1 and len(told.nodes) == len(child.genotype.nodes)
