from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from rosearch.config.fitness import FitnessConfig
from rosearch.space.loading import load_space
from tests.benchmarks import search_quality
from tests.benchmarks.landscape import POINTS, SPACE, Landscape
from tests.benchmarks.search_quality import DEFAULT, OURS, report, run_one

SMALL = {"min_nodes": 1, "max_nodes": 2, "min_parameters": 1}


@pytest.fixture
def landscape(tmp_path: Path) -> Landscape:
    """Outcomes that are drawn, of a part of the space of the real one."""
    (tmp_path / "part.yaml").write_text(yaml.safe_dump(yaml.safe_load(SPACE.read_text()) | SMALL))
    rng, students = random.Random(1), []
    for genotype in load_space(tmp_path / "part.yaml").genotypes():
        found = {
            "accuracy": 0.8 + 0.2 * rng.random(),
            "under_attack": rng.random(),
            "words_to_break": rng.random(),
        }
        points = [found | {"step": step, "queries": 30.0, "outcomes": "sbm" * 10} for step in POINTS]
        sizes = {"parameters": 10**6, "compression": rng.uniform(20, 100), "largest_class_share": 0.5}
        rest = {"genotype": genotype.to_dict(), "queries": 900, "steps": 300, "curve": points}
        students.append(found | sizes | rest)
    fitness = FitnessConfig(full_compression=125).model_dump(mode="json")
    told = {"about": "drawn", "reference": [0.0, 0.5, 0.0], "batch_size": 32, "teacher_quality": 0.9}
    return Landscape(told | {"space": "part.yaml", "fitness": fitness, "students": students}, tmp_path)


@pytest.mark.parametrize("name", [*OURS, "random_rungs", "largest_first"])
def test_a_course_spends_its_budget_and_its_hypervolume_only_grows(name: str, landscape: Landscape) -> None:
    course = run_one(name, 1, landscape, 12)
    assert 12 * landscape.mean_cost <= course.spent < 16 * landscape.mean_cost
    assert course.costs == sorted(course.costs) and course.volumes == sorted(course.volumes)
    assert 0 < course.volumes[-1] <= 1
    assert course.reaches(course.volumes[-1]) <= course.costs[-1] and course.reaches(2.0) == float("inf")


def test_a_report_holds_the_default_against_random_and_optuna(
    landscape: Landscape, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [DEFAULT, "random", "optuna_stand_in"]
    monkeypatch.setattr(
        search_quality, "optuna", lambda _, seed, course: search_quality.ours("random", seed + 7, course)
    )
    courses = search_quality.races(3, landscape, 8, names)
    found = report(courses, landscape, 8)
    assert found["best_of_optuna"] == "optuna_stand_in" and found["seeds"] == 3
    assert found["budget_share_to_random"] == found["strategies"][DEFAULT]["budget_share_to_random"][1]
    assert 0 <= found["p_value"] <= 1 and set(found["strategies"]) == set(names)


def test_the_parameters_of_a_trial_make_the_architecture_that_they_are_of(landscape: Landscape) -> None:
    class Trial:
        def __init__(self, told: dict[str, object]) -> None:
            self.told = told

        def suggest_int(self, name: str, *_: object) -> object:
            return self.told[name]

        suggest_categorical = suggest_int

    for genotype in landscape.genotypes:
        assert search_quality.asked(Trial(search_quality.parameters(genotype)), landscape) == genotype


def test_a_landscape_that_lacks_an_outcome_is_refused(landscape: Landscape, tmp_path: Path) -> None:
    students = [{"genotype": one.to_dict()} for one in landscape.genotypes[1:]]
    told = {"about": "a part", "reference": [0, 0, 0], "batch_size": 1, "space": "part.yaml", "students": students}
    with pytest.raises(ValueError, match="1 architectures of the space have no outcome"):
        Landscape(told, tmp_path)
