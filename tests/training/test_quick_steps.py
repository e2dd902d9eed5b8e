from __future__ import annotations

import pytest
import torch
from torch import nn
from training.tiny_models import CPU, make_student

from rosearch.training.quick_steps import ByteDropout, byte_dropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_is_dropped_and_the_mean_is_kept(share: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(200_003)
    y = ByteDropout(share)(x)
    assert (y == 0).float().mean().item() == pytest.approx(share, abs=0.005)
    assert y.mean().item() == pytest.approx(1.0, abs=0.03)
    assert len(y.unique()) == 2


def test_every_byte_of_a_draw_drops_alike() -> None:
    torch.manual_seed(0)
    dropped = (ByteDropout(0.25)(torch.ones(100_000, 8)) == 0).float().mean(0)
    torch.testing.assert_close(dropped, torch.full((8,), 0.25), atol=0.01, rtol=0)


def test_the_gradient_passes_where_the_value_did() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 5, 7, requires_grad=True)
    y = ByteDropout(0.4)(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad == 0, y == 0)
    assert y.shape == x.shape


def test_equal_generators_drop_the_same_and_bfloat16_stays_bfloat16() -> None:
    x = torch.ones(64, dtype=torch.bfloat16)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(ByteDropout(0.3)(x))
    assert torch.equal(drawn[0], drawn[1])
    assert drawn[0].dtype == torch.bfloat16


def test_layers_are_swapped_inside_and_put_back_even_after_an_error() -> None:
    student = make_student(12)
    before = [module for module in student.modules() if isinstance(module, nn.Dropout)]
    assert before
    with pytest.raises(RuntimeError), byte_dropout(student, CPU):
        assert not any(isinstance(module, nn.Dropout) for module in student.modules())
        assert sum(isinstance(module, ByteDropout) for module in student.modules()) == len(before)
        raise RuntimeError
    assert [module for module in student.modules() if isinstance(module, nn.Dropout)] == before


def test_a_share_of_zero_is_left_alone() -> None:
    layers = nn.Sequential(nn.Dropout(0.0))
    with byte_dropout(layers, CPU):
        assert type(layers[0]) is nn.Dropout
