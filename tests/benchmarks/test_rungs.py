from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks import rungs
from tests.benchmarks.rungs import best_of, climb, correlations, drawn, read_students, replay

REFERENCE = (0.0, 0.5, 0.0)


def row(final: float, early: float, late: float | None = None) -> dict[str, Any]:
    """A student whose robustness is `early` after 40 of 100 steps, `late` after 80 and `final` at the end."""
    late = final if late is None else late
    same = {"queries": 10.0, "outcomes": "ssbm"}
    curve = [
        {"step": step, "accuracy": 0.8 + words / 100, "under_attack": words, "words_to_break": words, **same}
        for step, words in ((40, early), (80, late))
    ]
    told = {"accuracy": 0.9 + final / 100, "under_attack": final, "words_to_break": final, "queries": 40}
    return told | {"curve": curve, "compression": 20.0, "largest_class_share": 0.5, "steps": 100, "outcomes": "ssbs"}


def students(*finals_and_early: tuple[float, float]) -> list[rungs.Student]:
    rows = [row(*one) for one in finals_and_early]
    return read_students({"students": rows, "teacher_quality": 1.0, "batch_size": 32})


def test_a_stopped_student_costs_its_steps_and_the_queries_of_each_rung() -> None:
    (one,) = students((0.5, 0.4))
    assert one.cost([40]) == 3 * 32 * 40 + 30  # a misclassified row is not attacked
    assert one.cost([40, 80, 100]) == 3 * 32 * 100 + 30 + 30 + 40


def test_those_that_no_other_dominates_at_the_end_are_the_best() -> None:
    assert best_of(students((0.5, 0.9), (0.7, 0.1), (0.7, 0.2), (0.2, 0.9))) == {1, 2}


def test_promotion_is_by_generation_and_by_what_the_rung_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rungs, "GENERATION", 2)
    found = climb(students((0.5, 0.9), (0.7, 0.1), (0.6, 0.2), (0.2, 0.3)), (40,), 0.5, None)
    assert found == {0: [40, 100], 1: [40], 2: [40], 3: [40, 100]}


def test_a_curve_that_foretells_the_end_loses_nothing_and_saves_up_to_the_bound() -> None:
    told = students(*((place / 20, place / 25) for place in range(10)))
    found = replay([told], (40,), 0.1, None, REFERENCE)
    assert (found.lost, found.kept) == (0.0, 1.0) and found.saved == pytest.approx(found.bound)
    assert found.saved == pytest.approx(10 * told[0].cost([100]) / (9 * told[0].cost([40]) + told[0].cost([40, 100])))
    assert found.rungs == (0.4,) and found.saved < 3 and not found.reaches_the_bar


def test_a_curve_that_misleads_loses_the_best() -> None:
    told = students(*((place / 20, 1 - place / 20) for place in range(10)))
    found = replay([told], (40,), 0.5, None, REFERENCE)
    assert found.lost == 1.0 and 0 < found.kept < 1
    assert next(iter(correlations(told)))["robustness"] == -1.0


def test_runs_are_drawn_by_their_number_without_repeats() -> None:
    told = students(*((place / 20, place / 25) for place in range(12)))
    assert drawn(told, 2) == drawn(told, 2) and drawn(told, 2)[0] != drawn(told, 2)[1]
    assert len(set(map(id, drawn(told, 1)[0]))) == 12
