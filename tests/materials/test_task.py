from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from small_run import write_experiment

from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.materials.task import quality_of
from rosearch.run.driver import candidate_job
from rosearch.run.finalists import finalist_job


def experiment_of(folder: Path, problem: str = "classification", **robustness: Any) -> Experiment:
    return load_experiment(write_experiment(folder, problem, evaluation={"robustness": robustness}))


def test_finalists_meet_the_report_on_the_test_split_with_the_single_swaps_of_the_search(tmp_path: Path) -> None:
    search = {"attacks": ["deepwordbug"], "rows": 5, "single_swaps": ["deepwordbug"]}
    report = {"attacks": ["pwws", "pruthi"], "rows": 9, "queries": 80}
    experiment = experiment_of(tmp_path, search=search, report=report)
    run = SimpleNamespace(student_folder=lambda record: tmp_path, unfinished_folder=lambda record: tmp_path / "long")
    driver: Any = SimpleNamespace(experiment=experiment, cache=tmp_path, teacher=None, run=run)
    record: Any = SimpleNamespace(genotype=None, seed=1)
    candidate, finalist = candidate_job(driver, record), finalist_job(driver, record)
    assert (candidate.suite.attacks, candidate.suite.rows, candidate.split) == (["deepwordbug"], 5, "validation")
    assert (finalist.suite.attacks, finalist.suite.rows, finalist.split) == (["pwws", "pruthi"], 9, "test")
    assert finalist.suite.similarity and not candidate.suite.similarity
    assert finalist.suite.queries == 80 and finalist.suite.single_swaps == ["deepwordbug"]
    assert finalist.attack_seed != candidate.attack_seed
    assert candidate.checkpoint is None  # short: it starts again
    assert finalist.checkpoint is not None and finalist.checkpoint.path.parent == tmp_path / "long"


def test_quality_tells_of_a_constant_predictor() -> None:
    labels = np.array([0, 1, 1, 0])
    task = SimpleNamespace(problem="classification", metric="accuracy", labels=("no", "yes"))
    materials: Any = SimpleNamespace(task=task, split=lambda name: SimpleNamespace(labels=labels))
    constant = np.tile(np.array([[0.0, 1.0]], np.float32), (4, 1))
    assert "predicts yes" in quality_of(constant, materials, "test").collapse
    assert quality_of(np.eye(2, dtype=np.float32)[labels], materials, "test").collapse == ""
