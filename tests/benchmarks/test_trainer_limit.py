from __future__ import annotations

import torch

from tests.benchmarks.trainer_limit import WIDTHS, Flat, Products, alone, genotypes, summary, training_rows


def test_the_eight_genotypes_are_the_same_at_each_call_and_narrow_ones_are_among_them() -> None:
    drawn = genotypes()
    assert [genotype.id for genotype in drawn] == [genotype.id for genotype in genotypes()]
    assert tuple(genotype.width for genotype in drawn) == WIDTHS and min(WIDTHS) == 128


def test_products_are_noted_there_and_back_with_their_strides_and_nothing_else_is() -> None:
    x, weight = torch.randn(6, 4), torch.randn(3, 4, requires_grad=True)
    with Products() as mode:
        (torch.nn.functional.linear(x, weight).relu() + 1).sum().backward()
    assert [call.kernel.overloadpacket for call in mode.calls] == [torch.ops.aten.mm] * 2  # type: ignore[attr-defined]
    assert mode.calls[0].arguments[1].strides == (1, 4)
    assert alone(mode.calls) >= 0 and Flat(10).seconds() >= 0


def test_rows_are_as_long_as_those_of_sst2() -> None:
    lengths = training_rows().lengths
    assert 11 < lengths.mean() < 15 and lengths.min() == 4 and lengths.max() <= 64


def test_the_smallest_share_is_the_figure() -> None:
    found = summary([{"share": 0.5}, {"share": 0.7}])
    assert (found["share_of_matmul"], found["share_of_matmul_mean"]) == (0.5, 0.6)
