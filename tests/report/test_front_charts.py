from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attacked_results import attacked, measured, record, results_of

from rosearch.report.chart import Limit, Marks
from rosearch.report.front_charts import front_charts
from rosearch.report.points import Shown
from rosearch.run.results import Results


def test_each_pair_of_objectives_has_a_chart_with_all_parts(made: Results) -> None:
    charts = front_charts(Shown.of(made))
    assert [chart.name for chart in charts] == [
        "front-robustness-accuracy",
        "front-robustness-cost",
        "front-accuracy-cost",
    ]
    for chart in charts:
        parts = {layer.name: layer for layer in chart.layers if isinstance(layer, Marks)}
        assert set(parts) == {"missed a gate", "candidate", "front", "baseline", "teacher"}
        numbers = [mark.number for part in parts.values() for mark in part.marks]
        assert len(numbers) == 32 and None in numbers  # 30 candidates, the baseline, the teacher, which nothing opens
        assert {mark.number for mark in parts["front"].marks} == {one.number for one in made.front}


def test_the_front_has_intervals_and_others_have_none(made: Results) -> None:
    parts = {layer.name: layer for layer in front_charts(Shown.of(made))[0].layers if isinstance(layer, Marks)}
    assert all(mark.x_ends and mark.y_ends for mark in parts["front"].marks)
    assert not any(mark.x_ends or mark.label for mark in parts["candidate"].marks)


def test_gates_and_full_efficiency_are_lines(made: Results) -> None:
    limits = [
        {layer.name for layer in chart.layers if isinstance(layer, Limit)} for chart in front_charts(Shown.of(made))
    ]
    assert limits == [{"gate min_quality"}, {"full efficiency"}, {"gate min_quality", "full efficiency"}]


def test_without_robustness_there_is_one_chart_and_without_students_none(tmp_path: Path) -> None:
    plain = replace(measured(attacked("a", "sb")), robustness=None)
    assert [one.name for one in front_charts(Shown.of(results_of(tmp_path, record(1, plain))))] == [
        "front-accuracy-cost"
    ]
    nobody = replace(results_of(tmp_path), teacher=None)
    assert front_charts(Shown.of(nobody)) == ()


def test_the_words_name_the_best_and_the_teacher(made: Results) -> None:
    text = front_charts(Shown.of(made))[0].text
    assert text.startswith("30 candidates, 5 of which missed a gate;") and "The teacher has" in text
