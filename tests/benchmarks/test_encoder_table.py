from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_run import Quiet, write_encoder_experiment, write_experiment

from rosearch.config.file import load_experiment
from rosearch.records.run_directory import RunDirectory
from rosearch.search import run_search
from tests.benchmarks import encoder_table


def test_holds_the_loss_of_the_run_and_a_latency_of_now_for_each_encoder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_encoder_experiment(tmp_path, fitness={"reward": None}, finalists={"count": 0})
    run = RunDirectory.create(tmp_path / "runs", load_experiment(path))
    results = run_search(run, Quiet())
    encoder_table.main([str(run.path), "--repeats", "3"])
    table = json.loads(capsys.readouterr().out)
    losses = {record.measurements.held_out_loss for record in results.measured("candidate") if record.measurements}
    assert {row["held_out_loss"] for row in table["encoders"]} == losses
    assert len(table["encoders"]) == 3
    for row in table["encoders"]:
        low, high = row["latency_quartiles_ms"]
        assert 0 < low <= row["latency_ms"] <= high
    before, after = table["teacher_latency_before_after_ms"]
    assert table["teacher_latency_ms"] == (before + after) / 2


def test_a_search_of_graphs_has_no_such_table(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "runs", load_experiment(write_experiment(tmp_path)))
    with pytest.raises(SystemExit, match="encoders"):
        encoder_table.main([str(run.path)])
