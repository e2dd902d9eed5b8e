from __future__ import annotations

from tests.benchmarks.trainer_limit import WIDTHS, Flat, genotypes, summary, training_rows


def test_the_eight_genotypes_are_the_same_at_each_call_and_narrow_ones_are_among_them() -> None:
    drawn = genotypes()
    assert [genotype.id for genotype in drawn] == [genotype.id for genotype in genotypes()]
    assert tuple(genotype.width for genotype in drawn) == WIDTHS and min(WIDTHS) == 128


def test_rows_are_as_long_as_those_of_sst2() -> None:
    lengths = training_rows().lengths
    assert 11 < lengths.mean() < 15 and lengths.min() == 4 and lengths.max() <= 64


def test_the_optimisers_traffic_takes_time() -> None:
    assert Flat(10).seconds() >= 0


def test_the_smallest_share_is_the_figure() -> None:
    found = summary([{"share": 0.5}, {"share": 0.7}])
    assert (found["share_of_matmul"], found["share_of_matmul_mean"]) == (0.5, 0.6)
