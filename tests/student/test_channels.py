from __future__ import annotations

import pytest
import torch

from rosearch.student.channels import energy, grouped, in_heads, picked, shared

IMPORTANCE = torch.tensor([3.0, 9.0, 1.0, 7.0])


def test_the_most_important_channels_come_in_their_order() -> None:
    assert picked(IMPORTANCE, 2).places.tolist() == [1, 3]
    assert picked(IMPORTANCE, 4).places.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [5, 8, 11])
def test_what_reads_copies_reads_the_same_sum_of_the_original(size: int) -> None:
    chosen = picked(IMPORTANCE, size)
    x, weight = torch.randn(2, 4), torch.randn(3, 4)
    assert chosen.places.tolist()[:5] == [0, 1, 2, 3, 1]
    assert torch.allclose(x[:, chosen.places] @ chosen.columns(weight).T, x @ weight.T, atol=1e-5)


def test_copies_have_unequal_shares() -> None:
    assert shared(torch.tensor([0, 1, 1, 1])).shares.tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 6])


def test_groups_give_equally_many() -> None:
    assert grouped(IMPORTANCE, 2, 2).places.tolist() == [1, 3]
    assert grouped(torch.tensor([9.0, 8.0, 1.0, 2.0]), 2, 2).places.tolist() == [0, 3]


def test_heads_are_cut_anew_or_chosen() -> None:
    assert in_heads(torch.ones(8), 2, 4, 8)[0].places.tolist() == [*range(8)]
    importance = torch.tensor([1.0, 2.0, 8.0, 9.0, 0.0, 0.0])
    chosen, products = in_heads(importance, 3, 1, 2)
    assert chosen.places.tolist() == [2, 3] and products.tolist() == [1, 1]


def test_a_head_that_comes_twice_is_read_by_shares_and_its_products_are_whole() -> None:
    chosen, products = in_heads(torch.tensor([1.0, 2.0]), 1, 2, 4)
    assert chosen.places.tolist() == [0, 1, 0, 1] and products.tolist() == [1, 1, 1, 1]
    assert chosen.shares.tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1 / 3])


def test_energy_is_what_is_written_times_what_is_read() -> None:
    rows, columns = torch.tensor([[1.0, 2.0], [0.0, 3.0]]), torch.tensor([[1.0, 2.0]])
    assert energy([rows], [columns]).tolist() == [5.0, 36.0]
    assert energy([rows]).tolist() == [5.0, 9.0]
