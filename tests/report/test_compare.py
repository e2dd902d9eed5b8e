from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from report.made_run import make_run

from rosearch.errors import RunError
from rosearch.report.comparable import differences
from rosearch.report.compare import Compared, group_labels
from rosearch.report.compare_files import describe, write_compared
from rosearch.report.points import Shown
from rosearch.report.run_files import pool_statistics
from rosearch.run.results import Results, open_results


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """Two strategies, each on two seeds; the second strategy tried more."""
    folder = tmp_path_factory.mktemp("compare")
    strategies = (("rosearch", 9), ("random", 13))
    return [
        make_run(folder, count, name=f"{name}-{seed}", seed=seed, evolution={"strategy": name})
        for name, count in strategies
        for seed in (1, 2)
    ]


def test_runs_are_grouped_by_what_differs_but_their_seeds_and_paired_by_these(runs: list[Results]) -> None:
    found = Compared.of(runs)
    assert found.groups == ["rosearch", "rosearch", "random", "random"]
    assert {pair.seeds for pair in found.pairs} == {(1, 2)} and len(found.pairs) == 6
    assert all(pair.p_holm >= pair.found.p >= 0.5 and isinstance(pair.interval, float) for pair in found.pairs)
    assert group_labels(runs, ["strategy", "seed"])[0] == "rosearch, seed 1"


def test_all_are_read_at_the_cost_of_the_cheapest_and_each_whole_curve_is_drawn(runs: list[Results]) -> None:
    found = Compared.of(runs)
    assert found.ends["candidates"] == 10
    volume = found.tables[0]
    means = [one.at("candidates", 10, "volume") for one in found.curves[:2]]
    assert volume.texts()[0][2].startswith(f"{sum(filter(None, means)) / 2:.3f}")
    courses = [chart for chart in found.charts if not chart.name.startswith("fronts")]
    assert [chart.name for chart in courses] == [f"{gain}-{cost}" for gain in ("best", "volume") for cost in found.ends]
    assert [layer.name for layer in courses[0].layers] == ["rosearch", "", "random", ""]
    assert len(found.fronts) == 3


def test_the_mean_height_of_a_course_is_the_area_below_its_steps(runs: list[Results]) -> None:
    one = Compared.of(runs[:2]).curves[0]
    expected = sum(one.volume[:9]) / 10  # nothing before the first candidate is over
    assert one.mean("candidates", 10, "volume") == pytest.approx(expected)


def test_only_keys_that_differ_are_told_those_of_the_space_too(runs: list[Results]) -> None:
    told = describe(Compared.of(runs))
    assert [one["key"] for one in told["differences"]] == ["seed", "evolution.strategy"]
    assert told["runs"][0]["course"]["candidates"][-1] == 10 and told["runs"][0]["group"] == "rosearch"
    assert len(told["runs"][0]["course"]["hypervolume"]) == 10 and told["pairs"][0]["low"] is None


def test_another_task_is_refused_and_another_fitness_leaves_out_what_depends_on_it(
    runs: list[Results], tmp_path: Path
) -> None:
    other = make_run(tmp_path, 8, name="other", labels=("a", "b"))
    with pytest.raises(RunError, match="expected the task of"):
        Compared.of([runs[0], other])
    weighed = make_run(tmp_path, 8, name="weighed", fitness={"min_quality": 0.5})
    found = Compared.of([runs[0], weighed])
    assert not found.pairs and [chart.name for chart in found.charts] == [chart.name for chart in found.fronts]
    assert any("weigh fitness otherwise" in note for note in found.notes)
    assert [table.title for table in found.tables] == ["Keys that differ"]


def test_latency_in_one_runtime_is_not_held_against_that_in_another(runs: list[Results]) -> None:
    def timed(results: Results, wanted: str, runtime: str) -> Results:
        experiment, evaluation = results.experiment, results.experiment.evaluation
        efficiency = evaluation.efficiency.model_copy(update={"runtime": runtime})
        changes = {
            "evaluation": evaluation.model_copy(update={"efficiency": efficiency}),
            "fitness": experiment.fitness.model_copy(update={"efficiency": wanted}),
        }
        return replace(results, experiment=experiment.model_copy(update=changes))

    first, second, *_ = runs
    for wanted, other in (("latency", True), ("parameters", False)):
        both = [timed(first, wanted, "eager"), timed(second, wanted, "onnx")]
        assert differences(both)["fitness"] is other
        titles = {Shown(one, (), None).axes["cost"].title for one in both}
        assert len(titles) == 1 + other


def test_a_run_that_is_given_twice_is_refused_also_as_a_copy_of_its_folder(runs: list[Results], tmp_path: Path) -> None:
    copied = open_results(Path(copytree(runs[0].run.path, tmp_path / "copied")))
    for again in (runs[0], copied):
        with pytest.raises(RunError, match="expected each run once, got the records of"):
            Compared.of([*runs, again])
        with pytest.raises(RunError, match="expected each run once"):
            pool_statistics([*runs, again], tmp_path / "pooled")
    assert not (tmp_path / "pooled").exists()


def test_figures_and_a_page_without_a_script_are_written(runs: list[Results], tmp_path: Path) -> None:
    written = write_compared(Compared.of(runs), tmp_path / "new", ("svg",), "1")
    assert [path.name for path in written] == ["fronts.svg", "volume.svg", "best.svg", "compare.html"]
    page = written[-1].read_text()
    assert page.count("<svg") > 9 and "Keys that differ" in page and "What to ship" not in page
    assert "Enter opens" not in page and "<noscript>" not in page
