from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from rosearch.measurements import Rung
from rosearch.space.loading import load_space
from tests.benchmarks.live_search import DEFAULT, RANDOM, RUNGS, Course, held_out_tau, queries_of, report, rows_of
from tests.equal_records import HERE
from tests.evolution.landscapes import measurements

SPACE = HERE / "search_spaces" / "quickstart.yaml"


def row(genotype: Mapping[str, Any], quality: float, **changes: Any) -> dict[str, Any]:
    told = {
        "accuracy": quality,
        "words_to_break": quality / 2,
        "scalar": quality,
        "objectives": [quality, quality, 0.5],
    }
    return {"genotype": genotype, "steps": 10, "queries": 40, "stopped_at": 0, "gates": [], **told, **changes}


@pytest.fixture(scope="module")
def genotypes() -> list[dict[str, Any]]:
    rng, space = random.Random(1), load_space(SPACE)
    return [space.sample(rng).to_dict() for _ in range(24)]


def test_a_course_pays_for_steps_and_queries_and_gated_students_add_no_volume(genotypes: list[dict[str, Any]]) -> None:
    rows = [row(genotypes[0], 0.6), row(genotypes[1], 0.9, gates=["min_quality"]), row(genotypes[2], 0.8)]
    course = Course.of(rows, batch=2)
    assert course.costs == [100.0, 200.0, 300.0] and course.best == 0.8
    assert course.volumes[:2] == pytest.approx(2 * [0.6 * 0.1 * 0.5]) and course.last > course.volumes[1]
    assert course.reaches(course.volumes[0]) == 100.0 and course.reaches(1.0) == float("inf")
    assert Course.of(rows, batch=2, budget=250.0).costs == [100.0, 200.0]
    assert Course.of([{"failure": "boom"}, rows[0]], batch=2).costs == [100.0]


def test_queries_of_rungs_are_paid_for_once() -> None:
    found = replace(measurements(), attacks=(measurements().robustness,))  # type: ignore[arg-type]
    assert found.training.steps == 10
    rungs = (Rung(0.5, 5, 0.1, 0.5, 0.5, 0.3, 200, promoted=True), Rung(1.0, 10, 0.1, 0.5, 0.5, 0.3, 400))
    assert queries_of(found) == 3000 and queries_of(replace(found, rungs=rungs)) == 3200


def test_a_report_compares_at_the_cost_of_random_search_and_leaves_out_seeds_that_are_not_over(
    genotypes: list[dict[str, Any]],
) -> None:
    better = [row(one, 0.7 + 0.01 * place) for place, one in enumerate(genotypes)]
    flat = [row(one, 0.75) for one in genotypes[:20]]
    searches = {f"{DEFAULT} 1": better, f"{RANDOM} 1": flat, f"{RUNGS} 1": flat, f"{DEFAULT} 2": better}
    found = report({"about": "made up", "machine": "none", "batch_size": 2, "searches": searches})
    assert list(found["seeds"]) == [1] and found["seeds"][1]["students"] == {DEFAULT: 20, RANDOM: 20, RUNGS: 20}
    assert found["share_to_random"] == found["share_to_rungs"] == pytest.approx(6 / 20)
    assert found["seeds"][1]["hypervolume"][DEFAULT] > found["seeds"][1]["hypervolume"][RANDOM]
    assert sum(line.startswith("| 1 |") for line in rows_of(found)) == 3


def test_tau_is_high_where_figures_follow_from_architectures_and_not_where_they_are_drawn(
    genotypes: list[dict[str, Any]],
) -> None:
    rng = random.Random(2)
    rows = [row(one, one["width"] / 200, words_to_break=rng.random()) for one in genotypes]
    stopped = row(genotypes[0], 0.1, stopped_at=1)
    found = held_out_tau([*rows, *rows, stopped])
    assert found["architectures"] == len(genotypes)
    assert found["accuracy"]["tau"] > 0.6 > found["words_to_break"]["tau"]
