from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from small_run import write_experiment

from rosearch.config.file import load_experiment
from rosearch.data.loading import load_task, task_seed
from rosearch.materials.life import CandidateJob
from rosearch.materials.suites import attack_seed
from rosearch.run.driver import candidate_job
from rosearch.run.finalists import finalist_job


def jobs(folder: Path, problem: str = "classification", **changes: Any) -> tuple[CandidateJob, CandidateJob]:
    """The jobs of one architecture as a candidate and as a finalist."""
    experiment = load_experiment(write_experiment(folder, problem, **changes))
    run = SimpleNamespace(student_folder=lambda record: folder, unfinished_folder=lambda record: folder / "long")
    driver: Any = SimpleNamespace(experiment=experiment, cache=folder, teacher=None, run=run)
    record: Any = SimpleNamespace(genotype=None, seed=1)
    return candidate_job(driver, record), finalist_job(driver, record)


def test_finalists_meet_the_report_on_the_test_split_with_the_single_swaps_of_the_search(tmp_path: Path) -> None:
    search = {"attacks": ["deepwordbug"], "rows": 5, "single_swaps": ["deepwordbug"]}
    report = {"attacks": ["pwws", "pruthi"], "rows": 9, "queries": 80}
    candidate, finalist = jobs(tmp_path, evaluation={"robustness": {"search": search, "report": report}})
    assert (candidate.suite.attacks, candidate.suite.rows, candidate.split) == (["deepwordbug"], 5, "validation")
    assert (finalist.suite.attacks, finalist.suite.rows, finalist.split) == (["pwws", "pruthi"], 9, "test")
    assert finalist.suite.similarity and not candidate.suite.similarity
    assert finalist.suite.queries == 80 and finalist.suite.single_swaps == ["deepwordbug"]
    assert finalist.attack_seed != candidate.attack_seed
    assert candidate.checkpoint is None  # short: it starts again
    assert finalist.checkpoint is not None and finalist.checkpoint.path.parent == tmp_path / "long"


def test_finalists_are_distilled_on_their_own_budget_and_all_else_is_the_runs(tmp_path: Path) -> None:
    candidate, finalist = jobs(tmp_path, finalists={"count": 1, "epochs": 3})
    before, after = candidate.experiment.distillation, finalist.experiment.distillation
    assert (before.epochs, before.max_steps, after.epochs, after.max_steps) == (1, 4, 3, None)
    restored = finalist.experiment.model_copy(update={"distillation": before})
    assert restored == candidate.experiment


def test_rows_of_the_search_and_of_the_report_never_mix(tmp_path: Path) -> None:
    """Neither the rows themselves nor the attacked sample: each has its split, and the report an attack of its own."""
    search, report = {"attacks": ["deepwordbug"], "rows": 8}, {"attacks": ["deepwordbug", "pruthi"], "rows": 8}
    candidate, finalist = jobs(tmp_path, evaluation={"robustness": {"search": search, "report": report}})
    task = load_task(candidate.experiment.require_task(), task_seed(candidate.experiment))
    seen = {"train": {*task.train.texts}, "search": {*getattr(task, candidate.split).texts}}
    fresh = {*getattr(task, finalist.split).texts}
    assert fresh and not fresh & (seen["train"] | seen["search"])
    assert {*finalist.suite.attacks} - {*candidate.suite.attacks} == {"pruthi"}
    assert candidate.attack_seed == attack_seed(candidate.experiment, "validation") != finalist.attack_seed
