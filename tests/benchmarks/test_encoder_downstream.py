from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_run import Quiet, write_encoder_experiment, write_experiment

from rosearch.config.file import load_experiment
from rosearch.records.run_directory import RunDirectory
from rosearch.search import run_search
from tests.benchmarks import encoder_downstream
from tests.benchmarks.encoder_downstream import compared, table


def test_gain_is_paired_by_seed_and_the_share_is_of_the_teachers_mean() -> None:
    cells = [
        {"task": "sst2", "metric": "accuracy", "arm": arm, "seed": seed, "quality": quality, "teacher": 0.9}
        for arm, values in (("encoder", (0.81, 0.85)), ("embeddings", (0.80, 0.80)))
        for seed, quality in enumerate(values, start=1)
    ]
    found = compared(cells)["sst2"]
    assert found["gain"] == pytest.approx(0.03) and found["gain_deviation"] == pytest.approx(0.0283, abs=1e-4)
    assert found["share"] == pytest.approx(0.83 / 0.9)
    assert "| sst2 | accuracy | 90.0 | 83.0 | 80.0 | +3.0 ± 2.8 | 92.2 % |" in table({"sst2": found})


@pytest.mark.slow
def test_both_students_have_one_architecture_and_an_interrupted_comparison_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_encoder_experiment(tmp_path / "encoders", evolution={"candidates": 2})
    run = RunDirectory.create(tmp_path / "runs", load_experiment(path))
    results = run_search(run, Quiet())
    folder = run.student_folder(results.measured("finalist")[0])
    (tmp_path / "task").mkdir()
    experiment = write_experiment(tmp_path / "task", problem="classification")
    command = [str(experiment), "--encoder", str(folder), "--seeds", "1", "--runs", str(tmp_path / "cells"), "--json"]
    encoder_downstream.main(command)
    first = json.loads(capsys.readouterr().out)
    shapes = [
        json.loads((tmp_path / "cells" / f"experiment-{arm}-1" / "config.json").read_text())
        for arm in ("encoder", "embeddings")
    ]
    assert shapes[0]["genotype"] == shapes[1]["genotype"]
    encoder_downstream.main(command)
    again = capsys.readouterr()
    assert json.loads(again.out) == first and "seed 1" not in again.err
