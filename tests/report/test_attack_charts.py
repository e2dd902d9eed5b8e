from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attacked_results import attacked, measured, record, results_of

from rosearch.report.attack_charts import attack_charts
from rosearch.report.chart import Marks
from rosearch.run.results import Results

BOTH = measured(attacked("worst case of 2", "bbss"), attacks=(attacked("pruthi", "sbss"), attacked("bae", "bsss")))


def test_teacher_front_and_baselines_are_beside_each_other_under_each_attack(tmp_path: Path) -> None:
    results = results_of(tmp_path, record(1, BOTH), record(2, BOTH, role="baseline", name="mini"))
    (chart,) = attack_charts(results)
    assert chart.y.names == ("teacher", "#1", "mini")
    layers = {layer.name: layer for layer in chart.layers if isinstance(layer, Marks)}
    assert {name: len(layer.marks) for name, layer in layers.items()} == {"pruthi": 2, "bae": 2, "deepwordbug": 1}
    assert layers["pruthi"].marks[0].x == 0.75 and layers["pruthi"].marks[0].number == 1
    assert "#1: pruthi 75.0%, bae 75.0%" in chart.text


def test_finalists_have_a_chart_of_their_own_rows(made: Results) -> None:
    charts = attack_charts(made)
    assert [chart.name for chart in charts] == ["attacks", "attacks-test"]
    assert charts[1].y.names[0].endswith(".0") and charts[0].x.title == "accuracy under deepwordbug"


def test_where_nobody_was_attacked_there_is_none(tmp_path: Path) -> None:
    plain = replace(BOTH, robustness=None, attacks=())
    results = results_of(tmp_path, record(1, plain))
    assert results.teacher is not None
    bare = replace(results, teacher=replace(results.teacher, robustness=None))
    assert attack_charts(bare) == ()
