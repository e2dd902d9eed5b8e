from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from attacked_results import attacked, measured, record, results_of

from rosearch.config.fitness import FitnessConfig
from rosearch.measurements import Latency
from rosearch.report.points import Shown
from rosearch.run.results import Results


def weighed(folder: Path, **fitness: object) -> Results:
    """One attacked and timed student of a run with other settings of fitness."""
    found = measured(attacked("deepwordbug", "sb"))
    found = replace(found, efficiency=replace(found.efficiency, latency=(Latency(1, 3.0, 2.9, 3.2),)))
    results = results_of(folder, record(2, found))
    assert results.teacher is not None
    config = FitnessConfig.model_validate({"min_quality": 0, **fitness})
    teacher = replace(results.teacher, latency_ms=30.0)
    return replace(results, teacher=teacher, experiment=results.experiment.model_copy(update={"fitness": config}))


@pytest.mark.parametrize(
    ("kind", "title", "value"),
    [
        ("accuracy_under_attack", "accuracy under attack", 0.5),
        ("words_to_break", "words to break", 0.75),
        ("single_swap_worst", "right on every single swap", 0.4),
        ("single_swap_margin", "margin over single swaps", 0.5),
    ],
)
def test_robustness_is_what_the_fitness_measures(kind: str, title: str, value: float, tmp_path: Path) -> None:
    shown = Shown.of(weighed(tmp_path, robustness=kind))
    assert shown.axes["robustness"].title == title and shown.points[0].place["robustness"].value == value


@pytest.mark.parametrize(
    ("kind", "own", "teacher"), [("parameters", 0.001, 0.01), ("flops", 0.004, 0.05), ("latency", 3.0, 30.0)]
)
def test_cost_is_what_the_fitness_counts(kind: str, own: float, teacher: float, tmp_path: Path) -> None:
    shown = Shown.of(weighed(tmp_path, efficiency=kind))
    assert shown.points[0].place["cost"].value == own
    assert shown.teacher is not None and shown.teacher.place["cost"].value == teacher


def test_without_an_attack_there_is_no_robustness(tmp_path: Path) -> None:
    shown = Shown.of(results_of(tmp_path, record(1, replace(measured(attacked("a", "sb")), robustness=None))))
    assert list(shown.axes) == ["accuracy", "cost"] and shown.points[0].under_attack is None


def test_the_points_are_those_that_are_measured_and_the_table_has_all(made: Results) -> None:
    shown = Shown.of(made, table=True)
    assert len(shown.points) == 32 and len(shown.of_role("candidate")) == 30
    assert {point.gates for point in shown.of_role("candidate")} == {(), ("min_quality",)}
    assert shown.table is not None and len(shown.table) == 33 and Shown.of(made).table is None
    assert [point.number for point in shown.front] == [record.number for record in made.front]
