from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from attacked_results import attacked, measured, record, results_of
from moocore import hypervolume

from rosearch.report.chart import Line
from rosearch.report.curves import curve, curve_charts
from rosearch.report.points import Shown
from rosearch.run.results import Results


def test_the_curves_rise_to_the_best_and_to_the_hypervolume_of_the_front(made: Results) -> None:
    shown = Shown.of(made)
    found = curve(shown, "made")
    assert len(found.best) == len(found.volume) == len(found.work) == 31  # the failed one has cost something too
    assert found.best[-1] == shown.front[0].scalar and list(found.volume) == sorted(found.volume)
    points = [[-term for term in point.terms] for point in shown.front]
    assert found.volume[-1] == pytest.approx(hypervolume(points, ref=[0, 0, 0]))


def test_at_equal_cost_a_curve_is_read_where_so_much_was_spent(made: Results) -> None:
    found = curve(Shown.of(made), "made")
    assert found.at("candidates", 3, "best") == found.best[2]
    assert found.at("work", found.work[4], "volume") == found.volume[4]
    assert found.at("candidates", 0, "best") is None


def test_one_run_has_a_line_without_a_name_and_several_have_one_each(made: Results) -> None:
    one = curve(Shown.of(made), "made")
    charts = curve_charts([one])
    assert [chart.name for chart in charts] == ["best-candidates", "best-work", "volume-candidates", "volume-work"]
    assert [layer.name for chart in charts for layer in chart.layers] == [""] * 4
    both = curve_charts([one, replace(one, name="other")])[0]
    assert [layer.name for layer in both.layers] == ["made", "other"] and "other: 0." in both.text


def test_a_line_turns_only_where_something_was_gained(made: Results) -> None:
    found = curve(Shown.of(made), "made")
    (line,) = curve_charts([found])[0].layers
    assert isinstance(line, Line)
    turns = {value for value in found.best if value is not None}
    assert {value for _, value in line.points} == turns and len(line.points) <= len(turns) + 1


def test_where_nobody_passed_the_gates_nothing_is_drawn_of_the_best(tmp_path: Path) -> None:
    weak = measured(attacked("a", "sb"), quality=0.1)
    results = results_of(tmp_path, record(1, weak))
    fitness = results.experiment.fitness.model_copy(update={"min_quality": 0.9})
    results = replace(results, experiment=results.experiment.model_copy(update={"fitness": fitness}))
    names = [chart.name for chart in curve_charts([curve(Shown.of(results), "run")])]
    assert names == ["volume-candidates", "volume-work"]
