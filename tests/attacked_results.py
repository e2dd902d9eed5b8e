"""Results of a run whose students were attacked, made up: no model, no attack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from rosearch.config.file import load_experiment
from rosearch.measurements import (
    ClassRobustness,
    Efficiency,
    Estimate,
    Measurements,
    Quality,
    Robustness,
    SingleSwaps,
    TeacherCost,
    TeacherFacts,
    Training,
)
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

EXPERIMENT = {
    "name": "made",
    "search_space": "space.yaml",
    "task": {"name": "t", "text": ["text"], "labels": ["no", "yes"], "generated": {}},
    "teacher": {"model": "somewhere"},
    "fitness": {"min_quality": 0},
}


def share(value: float, n: int) -> Estimate:
    return Estimate(value, max(value - 0.1, 0.0), min(value + 0.1, 1.0), n)


def attacked(attack: str, outcomes: str, **changes: Any) -> Robustness:
    """Rows of which one half of the words breaks those that break."""
    n = len(outcomes)
    shares = tuple({"m": 0.0, "s": 1.0, "q": 1.0}.get(letter, 0.5) for letter in outcomes)
    survived = share(sum(letter in "sq" for letter in outcomes) / n, n)
    halves = (ClassRobustness(0, n, share(0.9, n), survived), ClassRobustness(1, n, share(0.1, n), share(0.0, n)))
    estimates = (share(0.9, n), survived, share(0.3, n), share(0.2, n), share(0.5, n), share(sum(shares) / n, n))
    made = Robustness(
        attack, 5, n, *estimates, errors=0, seconds=1.0, plan="k", outcomes=outcomes, shares=shares, per_class=halves
    )
    return replace(made, **changes)


def measured(*attacks: Robustness, quality: float = 0.8, **changes: Any) -> Measurements:
    """The first attack counts as the worst case."""
    made = Measurements(
        Quality("accuracy", quality, 100, share(quality, 100)),
        Efficiency(1000, 800, 10.0, 10.0, 4000, 11.5, 32, 0.25),
        Training(10, 320, 0.7, "float32"),
        attacks[0],
        attacks,
        (SingleSwaps(attacks[0].attack, 100, 900, share(0.4, 100), share(0.5, 100), 0.5),),
    )
    return replace(made, **changes)


def record(number: int, found: Measurements, **changes: Any) -> Record:
    genotype = Genotype(64, 32, "mean", tuple(Node.of("conv", (reads,), kernel=3) for reads in range(number)))
    made = Record(number, "candidate", 0, 0, genotype, "sample", (), number, "done", found)
    return replace(made, **changes)


def results_of(folder: Path, *records: Record) -> Results:
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT))
    facts = TeacherFacts(
        Quality("accuracy", 0.9, 100), TeacherCost(10_000, 8000, 50_000), 64, 2, None, attacked("deepwordbug", "ssbm")
    )
    return Results(RunDirectory(folder), load_experiment(path), facts, records, True)
