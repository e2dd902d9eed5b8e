from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_run import write_experiment

import rosearch.materials
from rosearch.config import Experiment
from rosearch.driver import candidate_task
from rosearch.errors import BadInput, MissingResource
from rosearch.experiment_file import load_experiment
from rosearch.finalists import finalist_task
from rosearch.materials import attack_names, find_recipes, quality_of


@dataclass
class Named:
    name: str


def experiment_of(folder: Path, problem: str = "classification", **robustness: Any) -> Experiment:
    return load_experiment(write_experiment(folder, problem, evaluation={"robustness": robustness}))


def resolve_like_a_folder_without_wordnet(name: str, resources: object) -> Named:
    if name in ("bae", "clare"):
        raise MissingResource(f"attack {name} needs a masked language model")
    return Named({"pwws": "pwws-oewn"}.get(name, name))


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosearch.materials, "resolve", resolve_like_a_folder_without_wordnet)


def test_every_attack_of_both_suites_is_looked_for_once(tmp_path: Path) -> None:
    search = {"attacks": ["deepwordbug", "pwws"], "single_swaps": ["deepwordbug", "synonym-swap"]}
    experiment = experiment_of(tmp_path, search=search, report={"attacks": ["pwws", "pruthi"]})
    assert attack_names(experiment) == ("deepwordbug", "pwws", "synonym-swap", "pruthi")
    assert find_recipes(experiment, None)["pwws"].name == "pwws-oewn"  # type: ignore[arg-type]


def test_a_regression_asks_for_no_attack(tmp_path: Path) -> None:
    assert find_recipes(experiment_of(tmp_path, "regression"), None) == {}  # type: ignore[arg-type]


def test_all_that_is_missing_is_one_line(tmp_path: Path) -> None:
    experiment = experiment_of(tmp_path, search={"attacks": ["bae"]}, report={"attacks": ["clare"]})
    with pytest.raises(MissingResource) as caught:
        find_recipes(experiment, None)  # type: ignore[arg-type]
    assert "bae" in str(caught.value) and "clare" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("search", "report", "key"),
    [
        (["pwws-oewn"], ["pwws"], "report.attacks: expected at least one attack that search has not, got pwws-oewn"),
        (["pwws", "pwws-oewn"], ["pruthi"], "search.attacks: expected each attack once, got pwws-oewn, pwws-oewn"),
    ],
)
def test_two_names_of_one_recipe_are_one_attack(search: list[str], report: list[str], key: str, tmp_path: Path) -> None:
    experiment = experiment_of(tmp_path, search={"attacks": search}, report={"attacks": report})
    with pytest.raises(BadInput, match=key):
        find_recipes(experiment, None)  # type: ignore[arg-type]


def test_finalists_meet_the_report_on_the_test_split_with_the_single_swaps_of_the_search(tmp_path: Path) -> None:
    search = {"attacks": ["deepwordbug"], "rows": 5, "single_swaps": ["deepwordbug"]}
    report = {"attacks": ["pwws", "pruthi"], "rows": 9, "queries": 80}
    experiment = experiment_of(tmp_path, search=search, report=report)
    run = SimpleNamespace(student_folder=lambda record: tmp_path, unfinished_folder=lambda record: tmp_path / "long")
    driver: Any = SimpleNamespace(experiment=experiment, cache=tmp_path, teacher=None, run=run)
    record: Any = SimpleNamespace(genotype=None, seed=1)
    candidate, finalist = candidate_task(driver, record), finalist_task(driver, record)
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
