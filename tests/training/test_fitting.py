from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rosearch.training.fitting import Schedule, private_generator


def schedule(**changes: Any) -> Schedule:
    settings = {
        "epochs": 2.0,
        "max_steps": None,
        "batch_size": 8,
        "learning_rate": 0.1,
        "warmup_share": 0.1,
        "weight_decay": 0.01,
        "clip_norm": 1.0,
        "precision": "float32",
    }
    return Schedule(**{**settings, **changes})


@given(steps=st.integers(1, 400), warmup=st.floats(0, 0.99))
def test_the_learning_rate_climbs_to_its_peak_and_falls_and_is_never_zero(steps: int, warmup: float) -> None:
    rates = [schedule(warmup_share=warmup).rate(step, steps) for step in range(steps)]
    peak = rates.index(max(rates))
    assert all(0 < rate <= 0.1 + 1e-12 for rate in rates)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert max(rates) == pytest.approx(0.1)


@given(rows=st.integers(1, 500), epochs=st.floats(0.01, 5), most=st.none() | st.integers(1, 50))
def test_there_is_always_at_least_one_step_and_never_more_than_allowed(
    rows: int, epochs: float, most: int | None
) -> None:
    steps = schedule(epochs=epochs, max_steps=most).steps(rows)
    assert 1 <= steps <= (most or 10**9)


def test_a_private_generator_repeats_itself_and_disturbs_nobody() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    drawn = []
    for _ in range(2):
        with private_generator(torch.device("cpu"), 5):
            drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(torch.rand(3), expected)
