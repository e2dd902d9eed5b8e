from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_run import Quiet, write_experiment

from rosearch.config.file import load_experiment
from rosearch.records.run_directory import RunDirectory
from rosearch.search import run_search
from tests.benchmarks import robust_study

SMALL = {"evolution": {"candidates": 2, "population": 2, "elite": 1}, "finalists": {"count": 1, "replicates": 2}}


def searched(folder: Path, arm: str, seed: int) -> Path:
    experiment = load_experiment(
        write_experiment(folder, "classification", **SMALL), (f"name=toy-{arm}", f"seed={seed}")
    )
    run = RunDirectory.create(folder / "runs", experiment)
    run_search(run, Quiet())
    return run.path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folders = [tmp_path_factory.mktemp(arm) for arm in ("both", "alone")]
    return [str(searched(folder, arm, 3)) for folder, arm in zip(folders, ("both", "alone"), strict=True)]


def test_a_row_for_each_finalist_and_seed(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    robust_study.main([*runs, "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [(row["task"], row["arm"], row["seed"]) for row in rows] == [
        ("toy", arm, seed) for arm in ("both", "alone") for seed in (1, 2)
    ]
    for row in rows:
        assert row["worst_case"] <= min(row["deepwordbug"], row["pruthi"]) <= 1 and row["rows"] == 4
        assert row["compression"] == pytest.approx(109.48e6 / row["parameters"], rel=1e-3)
        assert not any(key.startswith("_") for key in row)


def test_equal_arms_gain_nothing_over_each_other(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    robust_study.main(runs)
    means, gains = capsys.readouterr().out.strip().split("\n\n")
    assert len(means.splitlines()) == 4 and "`both`" in means
    (line,) = gains.splitlines()[2:]  # the same seed and settings: the same students
    assert line.startswith("| `alone` | toy | +0.0 points [0.0, 0.0]")


def test_an_arm_that_survives_more_rows_has_the_difference_of_the_means() -> None:
    rows = [
        {"task": "toy", "arm": arm, "_outcomes": {"pruthi": [letter in "sq" for letter in outcomes]}}
        for arm, outcomes in (("both", "ssbs"), ("both", "sbbs"), ("alone", "mbbq"), ("alone", "mbbb"))
    ]
    line = robust_study.gains(rows, "both").splitlines()[-1]
    assert line.startswith("| `alone` | toy | +50.0 points")  # 5 of 8 against 1 of 8
