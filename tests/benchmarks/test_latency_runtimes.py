"""The students of a space are timed in both runtimes, and their rankings compared."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from rosearch.config.evaluation import EfficiencyConfig
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from tests.benchmarks import latency_runtimes
from tests.benchmarks.latency_runtimes import measured

FFN = Node.of("ffn", ratio=1.0, activation="gelu")
GENOTYPES = [Genotype(16, 8, "mean", (FFN,)), Genotype(16, 8, "mean", (FFN, FFN)), Genotype(24, 8, "mean", (FFN,))]


@pytest.fixture(autouse=True)
def no_graphs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runtimes that were asked for; each student stands for its own graph."""
    asked: list[str] = []

    def keep(model: Any, config: EfficiencyConfig) -> Any:
        asked.append(config.runtime)
        return model

    monkeypatch.setattr(latency_runtimes, "in_runtime", keep)
    return asked


def test_each_student_has_its_flops_and_both_latencies_and_equal_rankings_agree(no_graphs: list[str]) -> None:
    ticks = count()
    found = measured(GENOTYPES, tokens=6, rounds=2, clock=lambda: float(next(ticks)))
    assert no_graphs == ["onnx"] * 3 and len(found["students"]) == 3
    assert {one["eager_ms"] for one in found["students"]} == {1000.0} and found["onnx_over_eager"] == 1.0
    assert [one["flops"] for one in found["students"]] == sorted({one["flops"] for one in found["students"]})
    assert {*found["tau"]} == {"flops, eager_ms", "flops, onnx_ms", "eager_ms, onnx_ms"}


def test_the_command_prints_plain_data(capsys: pytest.CaptureFixture[str]) -> None:
    latency_runtimes.main(["--space", "quickstart", "--students", "2", "--rounds", "1", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["students"]) == 2 and printed["tokens"] == 32 and printed["machine"]
