from __future__ import annotations

import pytest
import torch

from tests.benchmarks.gpu_step import padded, timed, verdict
from tests.benchmarks.trainer_limit import genotypes


def test_what_is_compiled_pays_after_its_cost_over_its_gain_or_never() -> None:
    found = verdict({"eager": (0.010, 1.0), "compiled": (0.008, 11.0), "graphs": (0.012, 5.0)})
    assert found["compiled_pays_after"] == 5000 and found["graphs_pays_after"] is None
    assert found["eager_ms"] == 10.0 and "eager_pays_after" not in found


def test_texts_are_padded_to_a_multiple_and_their_mask_says_so() -> None:
    made = padded({"input_ids": torch.ones(2, 5), "attention_mask": torch.ones(2, 5)}, 4, torch.device("cpu"))
    assert made["input_ids"].shape == (2, 8) and made["attention_mask"].sum() == 10


def test_a_student_is_timed_on_a_cpu_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.trainer_limit.ROWS", 64)
    step, before = timed(genotypes()[2], "eager", torch.device("cpu"), 1)
    assert step > 0 and before > 0
