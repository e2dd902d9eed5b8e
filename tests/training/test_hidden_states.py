from __future__ import annotations

import pytest

from rosearch.training.hidden_states import probe_position


def chain(length: int) -> dict[str, object]:
    return {"nodes": [{"inputs": [position]} for position in range(length)]}


@pytest.mark.parametrize(
    ("layer", "position"),
    [(0, 0), (3, 1), (6, 2), (9, 3), (12, 5)],
)
def test_a_chain_of_four_nodes_reads_a_teacher_of_twelve_layers_at_its_own_quarters(layer: int, position: int) -> None:
    assert probe_position(chain(4), layer, 12) == position


def test_depth_counts_not_the_number_of_a_node() -> None:
    """Three parallel branches from the source, then one node above them: two levels in all."""
    genotype = {"nodes": [{"inputs": [0]}, {"inputs": [0]}, {"inputs": [0]}, {"inputs": [1, 2, 3]}]}
    assert probe_position(genotype, 1, 12) == 3  # among nodes of equal depth the last
    assert probe_position(genotype, 11, 12) == 4
    assert probe_position(genotype, 12, 12) == 5  # the final norm, behind all four
