from __future__ import annotations

import torch
from student.small_students import BRANCHING, padded_batch, small_student
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rosearch.models.products import Products, make, products_of, run_alone


def test_products_are_noted_there_and_back_with_their_strides_and_nothing_else_is() -> None:
    x, weight = torch.randn(6, 4), torch.randn(3, 4, requires_grad=True)
    with Products() as mode:
        (torch.nn.functional.linear(x, weight).relu() + 1).sum().backward()
    assert [call.kernel.overloadpacket for call in mode.calls] == [torch.ops.aten.mm] * 2  # type: ignore[attr-defined]
    assert mode.calls[0].arguments[1].strides == (1, 4)
    assert run_alone(make(mode.calls)) > 0


def test_the_products_of_a_pass_are_all_that_is_counted_as_its_flops() -> None:
    student, inputs = small_student(BRANCHING.with_(pooling="mean"), pieces=None), padded_batch()
    calls = products_of(student, inputs)
    with torch.no_grad(), FlopCounterMode(display=False) as alone:
        run_alone(make(calls))
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as whole:
        student(**inputs)
    assert alone.get_total_flops() == whole.get_total_flops() > 0
    assert all(len(call.operands) >= 2 for call in calls)
