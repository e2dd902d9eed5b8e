from __future__ import annotations

import json
from pathlib import Path

import pytest
from student.small_students import small_student

from rosearch.space.cost import count_parameters
from rosearch.space.known import KNOWN
from rosearch.space.loading import load_space
from tests.benchmarks.student_latency import (
    BATCHES,
    LENGTHS,
    NEAR,
    SHARE_TOKENS,
    STUDENT,
    Medians,
    genotype_of,
    measured,
    programs_of,
    summary,
)


def test_the_student_is_a_legal_genotype_of_a_shipped_space_and_so_are_the_drawn_ones() -> None:
    space = load_space("robust_dag")
    assert space.is_legal(genotype_of(STUDENT)) and genotype_of(STUDENT) == KNOWN[STUDENT].genotype
    drawn = [genotype_of(f"robust_dag:{number}") for number in (0, 1)]
    assert drawn[0] != drawn[1] and drawn[0] == genotype_of("robust_dag:0")
    assert all(NEAR[0] <= count_parameters(one).total <= NEAR[1] for one in drawn)


def test_figures_are_medians_of_the_rounds_ratios_and_of_the_worse_length() -> None:
    medians: Medians = {}
    for batch in BATCHES:
        for tokens in LENGTHS:
            shape = (batch, tokens)
            medians["eager bert", shape] = [10.0, 20.0, 40.0]
            medians["eager student", shape] = [1.0, 2.0, 2.0] if tokens == LENGTHS[0] else [2.0, 4.0, 4.0]
            medians["onnx bert", shape] = [9.0, 9.0, 9.0]
            medians["onnx student", shape] = [0.5, 0.5, 1.0]
    medians["onnx student", (1, SHARE_TOKENS)], medians["onnx products", (1, SHARE_TOKENS)] = [2.0] * 3, [1.0, 1.2, 1.4]
    found = summary(medians, {f"flops_{LENGTHS[0]}": 18.0, f"flops_{LENGTHS[1]}": 20.0})
    assert (found["eager_batch1"], found["eager_batch32"], found["onnx_batch1"]) == (5.0, 5.0, 18.0)
    assert (found["flops_ratio"], found["onnx_batch1_of_flops"]) == (20.0, 0.9)
    assert (found["onnx_over_eager_batch1"], found["onnx_share_of_matmul"]) == (2.0, 0.6)
    assert found["spread"]["eager_batch1_16"] == [10.0, 20.0]
    assert found["milliseconds"]["eager bert 1x16"] == 20.0 and json.dumps(found)


@pytest.mark.slow
def test_every_program_runs_at_every_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.student_latency.VOCABULARY", 1001)
    monkeypatch.setattr("tests.benchmarks.student_latency.LENGTHS", (4,))
    monkeypatch.setattr("tests.benchmarks.student_latency.SHARE_TOKENS", 5)
    small = small_student(vocabulary=1001, pieces=None)
    programs = programs_of({"bert": small, "student": small}, {"bert": "one", "student": "one"}, tmp_path, 1)
    medians = measured(programs, 1, 0.001, iter(range(10**6)).__next__)
    assert {name for name, _ in medians} == set(programs) and all(len(times) == 1 for times in medians.values())
