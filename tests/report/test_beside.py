from __future__ import annotations

from pathlib import Path

from report.made_run import make_run

from rosearch.report.beside import beside_tables
from rosearch.report.curves import curve
from rosearch.report.points import Shown
from rosearch.run.results import Results


def tables(*runs: Results) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]], tuple[str, ...]]:
    curves = [curve(Shown.of(run), f"run {place}") for place, run in enumerate(runs)]
    reached, differing = beside_tables(runs, curves)
    return reached.texts(), differing.texts(), (*reached.notes, *differing.notes)


def test_runs_are_held_against_each_other_at_the_cost_that_all_have_spent(made: Results, tmp_path: Path) -> None:
    short = make_run(tmp_path, 8, name="short")
    reached, _, _ = tables(made, short)
    own = curve(Shown.of(made), "")
    assert [row[2] for row in reached] == ["31", "9"] and reached[0][4] == f"{own.best[8]:.3f}"


def test_only_the_keys_that_differ_are_told(made: Results, tmp_path: Path) -> None:
    other = make_run(tmp_path, 8, name="other", seed=5, evolution={"strategy": "random"})
    _, differing, notes = tables(made, other)
    assert ("seed", "1", "5") in differing and ("evolution.strategy", "rosearch", "random") in differing
    assert all(row[0] not in ("name", "search_space") for row in differing)
    assert any("a seed of its own" in note for note in notes)


def test_equal_experiments_differ_in_nothing_and_others_cannot_be_compared(made: Results, tmp_path: Path) -> None:
    assert tables(made, made)[1] == [] and "the experiments are the same in every key" in tables(made, made)[2]
    other = make_run(tmp_path, 8, labels=("a", "b"), fitness={"min_quality": 0.5})
    told = " ".join(tables(made, other)[2])
    assert "weigh fitness otherwise" in told and "other tasks or rows" in told
