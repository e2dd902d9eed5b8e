"""Latency is measured where it is quiet, and in the runtime that the experiment names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from small_run import Quiet, write_experiment

from rosearch.config.evaluation import EfficiencyConfig
from rosearch.config.file import load_experiment
from rosearch.errors import MissingResource
from rosearch.evaluation import latency_table
from rosearch.evaluation.quiet_latency import Subject
from rosearch.materials import latency
from rosearch.materials.latency import student_latencies
from rosearch.measurements import Latency
from rosearch.models import engines
from rosearch.records.run_directory import RunDirectory
from rosearch.run.check import look_at
from rosearch.run.results import Results
from rosearch.search import run_search
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

SMALL = Genotype(16, 8, "first", (Node.of("ffn", ratio=1.0, activation="gelu"),))
EXPERIMENT = {
    "fitness": {"efficiency": "latency", "weights": {"robustness": 0, "accuracy": 0, "efficiency": 1}},
    "evaluation": {"efficiency": {"tokens": 8, "batch_sizes": [1], "warmup": 0, "repeats": 1}},
}


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runtime of each subject that is asked for. In torch, wide students are slow; in ONNX Runtime, deep ones."""
    asked: list[str] = []

    def measure(subjects: Sequence[Subject], config: EfficiencyConfig, threads: int) -> Iterator[tuple[Latency, ...]]:
        for subject in subjects:
            asked.append(config.runtime)
            genotype = subject.genotype
            ms = 1000.0 if genotype is None else float(place(genotype)[config.runtime == "onnx"])
            yield (Latency(1, ms, ms, ms),)

    monkeypatch.setattr(latency_table, "measure_quietly", lambda *given: list(measure(*given)))
    return asked


def place(genotype: Genotype) -> tuple[int, int]:
    """Made-up milliseconds by the two runtimes, which rank students the other way round."""
    digits = int(genotype.id[:3], 16) + 1
    return digits, 5000 - digits


def searched(folder: Path, runtime: str) -> Results:
    path = write_experiment(folder, **EXPERIMENT)
    experiment = load_experiment(path, (f"evaluation.efficiency.runtime={runtime}", "evolution.candidates=3"))
    return run_search(RunDirectory.create(folder / "runs", experiment), Quiet())


@pytest.mark.parametrize("runtime", ["eager", "onnx"])
def test_candidates_are_ranked_by_their_latency_in_the_chosen_runtime(
    runtime: str, timed: list[str], tmp_path: Path
) -> None:
    results = searched(tmp_path, runtime)
    assert {*timed} == {runtime} and results.teacher is not None and results.teacher.latency_ms == 1000.0
    found = [record.measurements.efficiency for record in results.measured("candidate") if record.measurements]
    assert {one.runtime for one in found} == {runtime} and len(found) == 3
    fastest = min(results.measured("candidate"), key=lambda one: place(one.genotype)[runtime == "onnx"])
    assert results.best().id == fastest.id


def test_students_of_a_gpu_are_timed_in_onnx_runtime_while_the_processor_is_quiet(
    timed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_experiment(tmp_path, **EXPERIMENT)
    monkeypatch.setattr(latency, "resolve_device", lambda name: torch.device("cuda"))
    for runtime, expected in (("eager", None), ("onnx", (place(SMALL)[1],))):
        experiment = load_experiment(path, (f"evaluation.efficiency.runtime={runtime}",))
        (found,) = student_latencies(experiment, [SMALL], tmp_path, tmp_path / "cache")
        assert (found and tuple(one.median_ms for one in found)) == expected
    assert timed == ["onnx"]


def test_students_of_one_architecture_that_are_trained_differently_are_timed_once(
    timed: list[str], tmp_path: Path
) -> None:
    experiment = load_experiment(write_experiment(tmp_path, **EXPERIMENT))
    twins = [SMALL, *(SMALL.with_(training=(("robust_kd.words", share),)) for share in (0.25, 0.5))]
    found = student_latencies(experiment, twins, tmp_path, tmp_path / "cache")
    assert len({one.id for one in twins}) == 3 and len(timed) == 1 and len(set(found)) == 1


def test_without_onnx_runtime_a_check_says_in_one_line_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, there = write_experiment(tmp_path), engines.find_spec
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "onnxruntime" else there(name))
    look_at(path)
    with pytest.raises(MissingResource) as caught:
        look_at(path, ("evaluation.efficiency.runtime=onnx",))
    (line,) = caught.value.lines
    assert "evaluation.efficiency.runtime" in line and "onnx needs onnxruntime" in line
    assert "pip install 'rosearch[onnx]'" in line


def test_another_runtime_is_told_by_its_name(tmp_path: Path) -> None:
    given: Any = ("evaluation.efficiency.runtime=onxx",)
    with pytest.raises(Exception, match=r"evaluation.efficiency.runtime: expected .*onnx"):
        look_at(write_experiment(tmp_path), given)
