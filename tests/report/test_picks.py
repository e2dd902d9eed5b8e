from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attacked_results import attacked, measured, record, results_of

from rosearch.measurements import Latency
from rosearch.report.picks import facts, others, picks, same, worth
from rosearch.report.points import Shown
from rosearch.run.results import Results


def test_the_three_answers_are_the_best_the_most_robust_and_the_smallest_that_passed(made: Results) -> None:
    shown = Shown.of(made)
    passed = [point for point in shown.points if point.eligible]
    found = {pick.question: pick.record.number for pick in picks(shown)}
    assert found == {
        "Best fitness": max(passed, key=lambda point: point.scalar).number,
        "Most robust": max(passed, key=lambda point: point.terms[0]).number,
        "Smallest": min(passed, key=lambda point: point.parameters).number,
    }


def test_one_student_that_answers_several_is_told_once(tmp_path: Path) -> None:
    results = results_of(tmp_path, record(1, measured(attacked("deepwordbug", "ss"))))
    ((pick, questions),) = same(picks(Shown.of(results)))
    assert questions == ["Best fitness", "Most robust", "Smallest"] and pick.again is None


def test_the_retraining_of_a_pick_is_found(made: Results) -> None:
    again = {pick.record.number: pick.again for pick in picks(Shown.of(made))}
    assert all(one is None or one.role == "finalist" for one in again.values())


def test_where_nobody_passed_nothing_is_recommended_and_without_attacks_nobody_is_most_robust(tmp_path: Path) -> None:
    assert picks(Shown.of(results_of(tmp_path))) == []
    plain = replace(measured(attacked("a", "sb")), robustness=None)
    shown = Shown.of(results_of(tmp_path, record(1, plain)))
    assert [pick.question for pick in picks(shown)] == ["Best fitness", "Smallest"] and worth(shown) == 0


def test_the_worth_of_robustness_is_its_share_of_the_weights(made: Results) -> None:
    assert worth(Shown.of(made)) == 0.5 and others(Shown.of(made)) == (0.6, 0.4)


def test_the_figures_that_decide_have_their_intervals() -> None:
    found = measured(attacked("deepwordbug", "sb"))
    timed = replace(found, efficiency=replace(found.efficiency, latency=(Latency(1, 3.0, 2.9, 3.2),)))
    told = dict(facts(timed))
    assert told["clean accuracy"] == "80.0% [70, 90]" and told["under attack"] == "50.0% [40, 60]"
    assert told["latency, batch 1"] == "3.00 ms on cpu" and told["beside the teacher"] == "10 times smaller"
