from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from deap import base, tools
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rosearch.report.pareto import front, non_dominated

POINTS = arrays(np.float64, st.tuples(st.integers(0, 12), st.integers(1, 4)), elements=st.integers(0, 4).map(float))


class Maximised(base.Fitness):  # type: ignore[misc]
    weights = (1.0, 1.0, 1.0)


class Individual:
    def __init__(self, row: int, values: np.ndarray) -> None:
        self.row = row
        self.fitness = Maximised(tuple(values))


@given(POINTS)
def test_the_front_is_that_of_the_definition(points: np.ndarray) -> None:
    def dominates(one: np.ndarray, other: np.ndarray) -> bool:
        return all(a >= b for a, b in zip(one, other)) and any(a > b for a, b in zip(one, other))

    expected = [not any(dominates(other, point) for other in points) for point in points]
    assert non_dominated(points).tolist() == expected


@given(arrays(np.float64, st.tuples(st.integers(1, 25), st.just(3)), elements=st.integers(0, 5).map(float)))
def test_the_front_is_that_of_deap(points: np.ndarray) -> None:
    individuals = [Individual(row, values) for row, values in enumerate(points)]
    first = tools.sortNondominated(individuals, len(individuals), first_front_only=True)[0]
    assert np.flatnonzero(non_dominated(points)).tolist() == sorted(individual.row for individual in first)


@given(POINTS, st.data())
def test_a_row_that_is_not_finite_is_never_on_the_front_and_changes_nothing(
    points: np.ndarray, data: st.DataObject
) -> None:
    bad = np.full((1, points.shape[1]), 9.0)
    bad[0, data.draw(st.integers(0, points.shape[1] - 1))] = data.draw(st.sampled_from([math.nan, math.inf, -math.inf]))
    with_bad = non_dominated(np.concatenate([points, bad]))
    assert with_bad.tolist() == [*non_dominated(points).tolist(), False]


def test_values_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(rows, objectives\), got \(2,\)"):
        non_dominated([1.0, 2.0])


def table(**columns: list[object]) -> pd.DataFrame:
    rows = len(columns["fitness_accuracy"])
    defaults = {
        "role": ["candidate"] * rows,
        "status": ["done"] * rows,
        "gates": [""] * rows,
        "fitness": [0.5] * rows,
        "fitness_robustness": [0.5] * rows,
        "fitness_efficiency": [0.5] * rows,
    }
    return pd.DataFrame({**defaults, **columns}, index=range(10, 10 + rows))


def test_gated_failed_and_foreign_rows_take_no_part() -> None:
    made = table(
        fitness_accuracy=[0.9, 0.9, 0.9, 0.9, 0.5, 0.4],
        role=["baseline", "finalist", "candidate", "candidate", "candidate", "candidate"],
        status=["done", "done", "failed", "done", "done", "done"],
        gates=["", "", None, "min_quality", "", ""],
    )
    mask = front(made)
    assert mask.index.equals(made.index)
    assert mask.tolist() == [False, False, False, False, True, False]


def test_an_objective_that_nobody_has_is_left_out() -> None:
    made = table(fitness_accuracy=[0.9, 0.8], fitness_robustness=[math.nan, math.nan])
    assert front(made).tolist() == [True, False]


def test_a_table_without_fitness_is_judged_by_what_was_measured() -> None:
    made = table(fitness_accuracy=[math.nan] * 3, fitness=[math.nan] * 3)
    made = made.assign(words_to_break=[0.1, 0.2, 0.1], quality=[0.9, 0.8, 0.8], compression=[5.0, 5.0, 5.0])
    assert front(made).tolist() == [True, True, False]


def test_asked_objectives_are_used() -> None:
    made = table(fitness_accuracy=[0.9, 0.8]).assign(flops_compression=[2.0, 3.0])
    assert front(made, ["flops_compression"]).tolist() == [False, True]


def test_a_table_without_candidates_has_an_empty_front() -> None:
    made = table(fitness_accuracy=[0.9], status=["running"])
    assert front(made).tolist() == [False]
