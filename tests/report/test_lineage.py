from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from attacked_results import attacked, measured, record, results_of

from rosearch.records.record import Failure, Record
from rosearch.report.chart import Links, Marks
from rosearch.report.lineage import Lineage, founders_table, kind, lineage_charts, variation_table
from rosearch.report.points import Shown
from rosearch.run.results import Results


def student(number: int, quality: float, *parents: Record, origin: str = "crossover") -> Record:
    found = measured(attacked("deepwordbug", "sb"), quality=quality)
    return record(number, found, parents=tuple(one.id for one in parents), origin=origin if parents else "sample")


@pytest.fixture
def family(tmp_path: Path) -> Lineage:
    """1 and 2 are founders; 3 comes from both, 4 from 3, 5 from 2 and failed."""
    one, two = student(1, 0.5), student(2, 0.6)
    three = student(3, 0.7, one, two)
    four = student(4, 0.65, three, origin="mutation:widen")
    lost = {"status": "failed", "measurements": None, "failure": Failure("oom", "distil", "no room")}
    five = replace(student(5, 0.1, two, origin="mutation:widen"), **lost)
    return Lineage.of(Shown.of(results_of(tmp_path, one, two, three, four, five)))


def test_ancestors_and_descendants_follow_from_the_parents(family: Lineage) -> None:
    assert family.ancestors(4) == {1, 2, 3} and family.descendants(2) == {3, 4, 5} and family.ancestors(1) == set()


def test_a_gain_is_over_the_better_parent(family: Lineage) -> None:
    fitness = family.shown.by_number
    assert family.gain(3) == pytest.approx(fitness[3].scalar - fitness[2].scalar)
    assert family.gain(1) is None and family.gain(5) is None  # no parents; no measurements


def test_parents_of_elsewhere_and_of_later_are_left_out(tmp_path: Path) -> None:
    early, late = student(1, 0.5), student(2, 0.6)
    odd = replace(early, parents=(late.id, "0" * 16))
    assert Lineage.of(Shown.of(results_of(tmp_path, odd, late))).parents == {1: (), 2: ()}


def test_the_descent_shows_each_link_and_the_ancestry_of_the_best(family: Lineage) -> None:
    layers = {layer.name: layer for layer in lineage_charts(family)[0].layers}
    every, winning = layers["parent to child"], layers["ancestry of the best"]
    assert isinstance(every, Links) and len(every.ends) == 3  # the failed one has no place
    assert isinstance(winning, Links) and len(winning.ends) == 2
    best = layers["the best and its ancestors"]
    assert isinstance(best, Marks) and {mark.number for mark in best.marks} == {1, 2, 3}


def test_gains_are_drawn_by_kind(family: Lineage) -> None:
    chart = lineage_charts(family)[1]
    assert chart.y.names == ("crossover", "mutation:widen") and chart.text.startswith("1 of 2 children")


def test_each_variation_is_counted_with_its_failures_and_gains(family: Lineage) -> None:
    rows = {texts[0]: texts for texts in variation_table(family).texts()}
    assert rows["sample"][1:4] == ("2", "0", "0") and rows["sample"][5] == "-"
    assert rows["mutation:widen"][1:4] == ("2", "1", "0") and rows["mutation:widen"][5].startswith("0.0%")
    assert rows["crossover"][5].startswith("100.0% [") and rows["crossover"][6].startswith("+0.0")


def test_founders_are_ordered_by_their_descendants(family: Lineage) -> None:
    told = [(texts[0], texts[3], texts[5]) for texts in founders_table(family).texts()]
    assert told == [("#2", "3", "#3"), ("#1", "2", "#3")]


def test_origins_are_kinds_without_what_belongs_to_one_candidate() -> None:
    told = ["sample", "sample:0.71", "chosen:0.8", "mutation:add_node", "crossover"]
    assert [kind(origin) for origin in told] == ["sample", "sample", "chosen", "mutation:add_node", "crossover"]


def test_a_run_without_children_has_its_descent_alone(tmp_path: Path, made: Results) -> None:
    lonely = Lineage.of(Shown.of(results_of(tmp_path, student(1, 0.5))))
    assert [chart.name for chart in lineage_charts(lonely)] == ["lineage"] and founders_table(lonely).rows == ()
    assert len(lineage_charts(Lineage.of(Shown.of(made)))) == 2
