from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_run import write_experiment

from tests.benchmarks import method_comparison, robust_distillation


def test_a_row_for_each_arm_and_seed_and_nothing_is_done_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = str(write_experiment(tmp_path, "classification"))
    arms = ["--arm", "plain,kd,wordpiece", "--arm", "typos,robust_kd,typos,distillation.robust_kd.sources=[characters]"]
    command = [experiment, *arms, "--student", "bert_mini", "--attacks", "deepwordbug", "pruthi", "--rows", "4"]
    printed = []
    for _ in range(2):
        robust_distillation.main([*command, "--runs", str(tmp_path / "runs")])
        printed.append(capsys.readouterr())
    rows = json.loads(printed[0].out)
    assert [(row["arm"], row["seed"]) for row in rows] == [("plain", 1), ("typos", 1)]
    assert rows[1]["parameters"] <= rows[0]["parameters"]  # its vocabulary is no larger
    for row in rows:
        assert row["worst_case"] <= min(row["deepwordbug"], row["pruthi"]) <= 1 and row["rows"] == 4
        assert row["compression"] == pytest.approx(109.48e6 / row["parameters"], rel=1e-3)
    assert printed[1].out == printed[0].out and "distilling" not in printed[1].err and "distilling" in printed[0].err


def test_arms_of_a_file_on_validation_rows_with_the_attacks_that_adapt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = str(write_experiment(tmp_path, "classification"))
    arms = tmp_path / "arms.yaml"
    arms.write_text(
        "plain: {method: kd, encoding: wordpiece}\n"
        "typos: {method: robust_kd, encoding: typos, set: {distillation.robust_kd.sources: [characters]}}\n"
        "pooled: {method: kd, encoding: wordpiece, student: bert_mini, pooling: mean_less_pc1}\n"
    )
    command = [experiment, "--arms", str(arms), "--student", "bert_mini", "--split", "validation", "--rows", "4"]
    command += ["--runs", str(tmp_path / "runs"), "--attacks", "deepwordbug"]
    robust_distillation.main([*command, "adaptive-characters"])
    plain, typos, pooled = json.loads(capsys.readouterr().out)
    assert (plain["arm"], typos["arm"], plain["split"]) == ("plain", "typos", "validation")
    record = json.loads((tmp_path / "runs" / f"{plain['task']}-pooled-1" / "distillation.json").read_text())
    assert record["student"]["genotype"]["pooling"] == "mean_less_pc1"
    for row in (plain, typos, pooled):
        assert row["worst_case"] == row["deepwordbug"]  # attacks that adapt stand beside the worst case
        assert row["deepwordbug_adaptive"] == row["adaptive-characters"]
        assert row.get("deepwordbug_adaptive_void", False) == (row["adaptive-characters"] > row["deepwordbug"])
        assert row["invariance"] == pytest.approx(
            sum(row[f"invariance_{kind}"] for kind in ("name", "religion", "nationality")) / 3
        )
    robust_distillation.main([*command, "--only", "typos"])  # one attack fewer: nothing is attacked again
    printed = capsys.readouterr()
    assert json.loads(printed.out)[0]["deepwordbug"] == typos["deepwordbug"] and "attacking" not in printed.err
    with pytest.raises(SystemExit, match=r"expected arms of .*, got tpyos; it has plain, typos"):
        robust_distillation.main([*command, "--only", "tpyos"])


def test_methods_are_compared_seed_by_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment = str(write_experiment(tmp_path, "classification"))
    command = [experiment, "--methods", "kd", "ad2", "--student", "bert_mini", "--seeds", "1", "2"]
    method_comparison.main([*command, "--runs", str(tmp_path / "runs"), "--json"])
    report = json.loads(capsys.readouterr().out)
    cells = {(cell["method"], cell["seed"]): cell["quality"] for cell in report["cells"]}
    (found,) = report["means"].values()
    gain = sum(cells["ad2", seed] - cells["kd", seed] for seed in (1, 2)) / 2
    assert found["ad2"]["gain"] == pytest.approx(gain) and found["kd"]["seeds"] == 2
    assert report["beats"] == {"ad2": int(gain > 0)}


def test_a_failed_seed_is_no_mean() -> None:
    cells = [
        {"task": "rte", "method": method, "seed": seed, "quality": quality}
        for method, seed, quality in (("kd", 1, 0.6), ("kd", 2, 0.7), ("ad2", 1, None), ("ad2", 2, 0.9))
    ]
    report = method_comparison.compared(cells)
    assert report["means"]["rte"]["ad2"] == {"mean": None, "failed": 1} and report["beats"] == {"ad2": 0}
