from __future__ import annotations

from functools import partial

import pytest
import torch
from student.small_students import OPERATION_CASES, WIDTH, case_name
from torch import Tensor, nn

from rosearch.space.node import Setting
from rosearch.student.local_operations import LocalOperation, convolve, mute_pads, real_tokens, zero_pads
from rosearch.student.operations import OPERATIONS, build_operation

TOKENS, PLACE = 41, 20
Case = tuple[str, dict[str, Setting]]
CASES = [case for case in OPERATION_CASES if "kernel" in case[1]]

every_local_operation = pytest.mark.parametrize("case", CASES, ids=case_name)


def tokens() -> Tensor:
    return torch.randn(3, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))


def operation(case: Case) -> LocalOperation:
    module = OPERATIONS[case[0]](WIDTH, **case[1])
    assert isinstance(module, LocalOperation)
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return module.eval()


def test_what_has_a_kernel_is_a_local_operation() -> None:
    with_kernel = {op for op, _ in CASES}
    for op, settings in OPERATION_CASES:
        operation = build_operation(op, settings, WIDTH, 0.0, 1e-5)
        assert isinstance(getattr(operation, "operation", operation), LocalOperation) == (op in with_kernel)


@every_local_operation
def test_a_token_depends_on_every_nth_token_within_reach_and_on_no_other(case: Case) -> None:
    module, x = operation(case), tokens().requires_grad_()
    module(x, None)[:, PLACE].square().sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 2)).nonzero().flatten().tolist()
    assert seen == list(range(PLACE - module.reach, PLACE + module.reach + 1, module.dilation))


@every_local_operation
def test_all_but_what_is_done_along_the_tokens_is_done_to_each_alone(case: Case) -> None:
    module, x = operation(case), tokens()
    for part in (module.before, module.after):
        torch.testing.assert_close(part(x)[:, PLACE], part(x[:, PLACE]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(module(x, None), module.after(module.along(module.before(x), None)))


@every_local_operation
def test_zeros_stand_for_padding_where_the_operation_says_so(case: Case) -> None:
    module, x = operation(case), tokens() - 5.0  # so that zeros are the largest within any reach
    keep = torch.arange(TOKENS) < torch.tensor([TOKENS, 9, 30]).unsqueeze(1)
    known = module.along(x, keep)[keep]
    zeros = module.along(x * keep.unsqueeze(-1), None)[keep]
    assert torch.allclose(known, zeros, atol=1e-5) == module.zeros_pad


@pytest.mark.parametrize("kernel", [1, 3, 7, 15])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("groups", [1, WIDTH])
def test_convolve_is_a_one_dimensional_convolution(kernel: int, dilation: int, groups: int) -> None:
    reference = nn.Conv1d(WIDTH, WIDTH, kernel, padding="same", dilation=dilation, groups=groups)
    x = tokens()
    expected = reference(x.transpose(1, 2)).transpose(1, 2)
    y = convolve(x, reference.weight, reference.bias, dilation, groups)
    torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-5)


def trained_convolution(shape: tuple[int, int, int], dilation: int, groups: int) -> tuple[list[Tensor], list[Tensor]]:
    """Output and gradients of `convolve`, and those of torch's own conv1d."""
    generator = torch.Generator().manual_seed(5)
    values = [torch.randn(size, generator=generator) for size in ((2, 11, WIDTH), shape, (WIDTH,))]
    found = []
    for own in (True, False):
        x, weight, bias = (value.clone().requires_grad_() for value in values)
        reach = dilation * (shape[2] // 2)
        plain = partial(nn.functional.conv1d, padding=reach, dilation=dilation, groups=groups)
        y = convolve(x, weight, bias, dilation, groups) if own else plain(x.mT, weight, bias).mT
        y.square().sum().backward()
        assert x.grad is not None and weight.grad is not None and bias.grad is not None
        found.append([y.detach(), x.grad, weight.grad, bias.grad])
    return found[0], found[1]


@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
@pytest.mark.parametrize(
    ("kernel", "dilation", "groups"), [(3, 1, 1), (3, 1, WIDTH), (5, 1, WIDTH), (3, 2, WIDTH), (7, 2, WIDTH)]
)
def test_a_convolution_and_its_gradients_are_those_of_torch(
    kernel: int, dilation: int, groups: int, capability: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    ours, theirs = trained_convolution((WIDTH, WIDTH // groups, kernel), dilation, groups)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


def test_a_convolution_can_be_differentiated_twice() -> None:
    x, weight = tokens().requires_grad_(), torch.ones(WIDTH, 1, 5, requires_grad=True)
    (first,) = torch.autograd.grad(convolve(x, weight, None, 2, WIDTH).square().sum(), x, create_graph=True)
    first.sum().backward()
    assert weight.grad is not None and weight.grad.abs().min() > 0


def test_a_batch_without_padding_needs_no_mask_but_in_a_graph_for_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    full, padded = torch.ones(2, 3, dtype=torch.long), torch.tensor([[1, 1, 1], [1, 0, 0]])
    assert real_tokens(full) is None and real_tokens(None) is None
    masked = real_tokens(padded)
    assert masked is not None and masked.tolist() == padded.bool().tolist()
    monkeypatch.setattr(torch.jit, "is_tracing", lambda: True)
    kept = real_tokens(full)
    assert kept is not None and kept.all()


def test_pads_are_zero_with_and_without_a_gradient() -> None:
    keep = torch.tensor([[True, False], [True, True]])
    x = torch.randn(2, 2, WIDTH, generator=torch.Generator().manual_seed(1))
    trained = mute_pads(x.clone().requires_grad_(), keep)
    assert torch.equal(trained.detach(), zero_pads(x, keep))
    assert not zero_pads(x, keep)[0, 1].any()
