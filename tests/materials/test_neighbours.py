"""Baselines that a reader asks for: the floor of cost, and a pretrained model that is there already."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import rosearch
from small_run import write_experiment
from transformers import BertConfig, BertModel

from rosearch.measurements import TeacherFacts
from rosearch.report.overview import ranked_table
from rosearch.run.results import open_results
from rosearch.space.cost import count_flops, count_parameters
from rosearch.space.known import KNOWN


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment with a static student and a pretrained model, which has no head yet, among its baselines."""
    folder = tmp_path_factory.mktemp("neighbours")
    tuned = {"fine_tune": {"epochs": 1, "batch_size": 16, "max_steps": 2}}
    write_experiment(
        folder,
        "classification",
        teacher=tuned,
        baselines=["static", "./mini"],
        evolution={"candidates": 2, "population": 2},
        finalists={"count": 1},
        evaluation={
            "robustness": {"search": {"rows": 4}, "report": {"rows": 4}},
            "efficiency": {"tokens": 8, "repeats": 2},
        },
    )
    BertModel(BertConfig.from_pretrained(folder / "teacher", hidden_size=8)).save_pretrained(folder / "mini")
    for path in (folder / "teacher").glob("*token*"):
        (folder / "mini" / path.name).write_bytes(path.read_bytes())
    return folder


def test_both_stand_beside_the_teacher_with_all_its_figures(folder: Path) -> None:
    rosearch("search", "experiment.yaml", cwd=folder)
    run = folder / "runs" / "small-0001"
    results = open_results(run)
    for teacher in (results.teacher, results.teacher_on_test):
        assert isinstance(teacher, TeacherFacts)
        (mini,) = teacher.neighbours
        assert mini.called == "mini" and mini.quality.n == teacher.quality.n
        assert mini.robustness is not None and mini.cost.parameters > 0
        assert mini.folder.startswith("teachers/")  # it was fine-tuned
    assert results.teacher.neighbours[0].latency_ms is not None
    static = results.find("static")
    assert static.measurements is not None and static.measurements.robustness is not None
    shown = rosearch("status", run, cwd=folder).stdout
    assert "mini" in shown and "static" in shown
    assert results.teacher is not None
    first, second = (float(str(row.cells[-1])) for row in ranked_table(results).rows[:2])
    assert first == 1 and second > 1.5  # times smaller than the teacher
    assert rosearch("status", run, "--json", cwd=folder).data["teacher"]["neighbours"][0]["called"] == "mini"
    rosearch("resume", run, cwd=folder)
    assert open_results(run).teacher == results.teacher


def test_one_that_is_not_there_is_told_by_its_place_in_the_list(folder: Path) -> None:
    gone = ("-o", "baselines=[static, ./gone, package:no_such_package]")
    printed = rosearch("check", "experiment.yaml", *gone, cwd=folder, expect=4).stderr
    assert "baselines.1" in printed and "baselines.2" in printed
    misspelt = rosearch("check", "experiment.yaml", "-o", "baselines=[statik]", cwd=folder, expect=3).stderr
    assert "baselines.0: expected one of static, " in misspelt and "Did you mean static?" in misspelt
    assert "package:NAME" in misspelt


def test_the_static_student_is_the_cheapest_of_all() -> None:
    static = KNOWN["static"].genotype
    for name, known in KNOWN.items():
        assert name == "static" or count_flops(known.genotype, 32, 2) > 10 * count_flops(static, 32, 2)
        assert count_parameters(known.genotype).encoder >= count_parameters(static).encoder
