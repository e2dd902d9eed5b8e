"""A run made up whole, in a folder of its own: candidates with descent, gates, failures, a baseline, a finalist."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from attacked_results import EXPERIMENT
from report.made_records import make_genotype, make_measurements, make_record, share

from rosearch.config.experiment import Experiment
from rosearch.measurements import Quality, TeacherCost, TeacherFacts
from rosearch.records.record import Failure, Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.results import Results, open_results
from tests.evolution.landscapes import SPACES

ORIGINS = ("mutation:change_width", "crossover", "mutation:add_node")


def make_run(
    folder: Path,
    count: int = 12,
    *,
    name: str = "made",
    labels: tuple[str, str] = ("no", "yes"),
    failure: str = "the loss is nan",
    baseline: str = "bert_mini",
    **changes: Any,
) -> Results:
    """A run whose candidates, from the seventh on, have parents; every sixth missed a gate, one failed."""
    task = {"name": "t", "text": ["text"], "labels": list(labels), "generated": {}}
    given = {**EXPERIMENT, "name": name, "search_space": SPACES / "robust_dag.yaml", "task": task}
    given |= {"fitness": {"min_quality": 0.8}, **changes}
    run = RunDirectory.create(folder, Experiment.model_validate(given))
    worst = make_measurements(make_genotype(random.Random(0)), under_attack=0.3).robustness
    assert worst is not None
    quality = Quality("accuracy", 0.9, 300, share(0.9, 300), largest_class_share=0.5)
    facts = TeacherFacts(quality, TeacherCost(22_000_000, 10_000_000, 9000), 64, 2, 20.0, worst, (worst,))
    with Store.open(run.store) as store:
        store.set_teacher(facts)
        store.propose(_records(count, failure, baseline))
    return open_results(run.path)


def _records(count: int, failure: str, baseline: str) -> list[Record]:
    rng = random.Random(count)
    made: list[Record] = []
    for number in range(1, count + 1):
        genotype = make_genotype(rng)
        quality = 0.5 if number % 6 == 0 else 0.75 + 0.2 * rng.random()
        found = make_measurements(genotype, quality=quality, under_attack=0.1 + 0.6 * rng.random())
        bred = number > 6
        parents = tuple(one.id for one in rng.sample(made[:6], 1 + number % 2)) if bred else ()
        origin = ORIGINS[number % len(ORIGINS)] if bred else "sample"
        made.append(make_record(number, genotype, found, parents=parents, origin=origin))
    spare, found = make_genotype(rng), made[0].measurements
    lost = Failure("nan", "distil", failure)
    fixed = {"generation": -1, "measurements": found, "genotype": make_genotype(rng)}
    return [
        *made,
        make_record(count + 1, spare, None, status="failed", failure=lost),
        replace(make_record(count + 2, spare, found, role="baseline", name=baseline), **fixed),
        replace(make_record(count + 3, spare, found, role="finalist"), **{**fixed, "genotype": made[0].genotype}),
    ]
