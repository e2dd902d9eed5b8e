from __future__ import annotations

import pytest

from rosearch.space.cost import count_flops, count_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.space.rules import OPERATIONS

# Worked out by hand for width 16 (LayerNorm 32, a square linear map 16 x 16 + 16 = 272) and 10 tokens.
BY_HAND = [
    (Node.of("attention", heads=4, conv=False), 32 + 4 * 272, 2 * (4 * 10 * 256 + 2 * 100 * 16)),
    (Node.of("attention", heads=4, conv=True), 1120 + 3 * 64, 26880 + 2 * 3 * 10 * 3 * 16),
    (Node.of("ffn", ratio=2.0, activation="relu2"), 32 + 544 + 528, 2 * 10 * 2 * 512),
    (Node.of("ffn", ratio=0.5, activation="gelu"), 32 + 136 + 144, 2 * 10 * 2 * 128),
    (Node.of("conv", kernel=3), 32 + 784 + 272, 2 * 10 * (768 + 256)),
    (Node.of("separable_conv", kernel=5), 32 + 96 + 544, 2 * 10 * (80 + 512)),
    (Node.of("dilated_conv", kernel=5), 32 + 96 + 544, 2 * 10 * (80 + 512)),
    (Node.of("glu"), 32 + 544 + 272, 2 * 10 * 768),
    (Node.of("light_conv", kernel=7), 32 + 544 + 56 + 272, 2 * 10 * (768 + 112)),
    (Node.of("max_pool", kernel=3), 32, 0),
    (Node.of("avg_pool", kernel=3), 32, 0),
    (Node.of("identity"), 0, 0),
]
# Rank 8 to width 16, two LayerNorms, a classifier of 3 labels.
FRAME_PARAMETERS = 144 + 64 + 51
FRAME_FLOPS = 2 * (10 * 128 + 48)


def test_every_operation_is_worked_out_by_hand():
    assert {node.op for node, _, _ in BY_HAND} == set(OPERATIONS)


@pytest.mark.parametrize(("node", "parameters", "flops"), BY_HAND, ids=lambda value: getattr(value, "op", None))
def test_an_operation_costs_what_it_costs_by_hand(node, parameters, flops):
    genotype = Genotype(16, 8, "mean", (node,))
    count = count_parameters(genotype, vocabulary=100, positions=20, token_types=3, labels=3)
    assert count.embeddings == (100 + 20 + 3) * 8
    assert count.encoder == FRAME_PARAMETERS + parameters
    assert count.total == count.encoder + count.embeddings
    assert count_flops(genotype, tokens=10, labels=3) == FRAME_FLOPS + flops


@pytest.mark.parametrize(
    ("merge", "parameters", "flops"), [("add", 0, 0), ("gate", 48, 0), ("concat", 784, 2 * 10 * 768)]
)
def test_a_merge_of_three_costs_what_it_costs_by_hand(merge, parameters, flops):
    first = (Node("identity"), Node("identity"))
    merged = Genotype(16, 8, "mean", (*first, Node("identity", (), (0, 1, 2), merge)))
    assert count_parameters(merged, labels=3).encoder == FRAME_PARAMETERS + parameters
    assert count_flops(merged, tokens=10, labels=3) == FRAME_FLOPS + flops


def test_a_merge_of_one_input_costs_nothing():
    alone = Genotype(16, 8, "mean", (Node("identity", (), (0,), "concat"),))
    assert count_parameters(alone, labels=3).encoder == FRAME_PARAMETERS


def test_attention_pooling_adds_a_score_per_token():
    nodes = (Node("identity"),)
    mean, attention = Genotype(16, 8, "mean", nodes), Genotype(16, 8, "attention", nodes)
    assert count_parameters(attention).total - count_parameters(mean).total == 17
    assert count_flops(attention, 10) - count_flops(mean, 10) == 2 * 10 * 16


def test_the_first_component_costs_two_products_with_all_tokens_a_step_and_one():
    nodes = (Node("identity"),)
    mean, less = Genotype(16, 8, "mean", nodes), Genotype(16, 8, "mean_less_pc1", nodes)
    assert count_parameters(less) == count_parameters(mean)
    assert count_flops(less, 10) - count_flops(mean, 10) == 2 * (8 * 2 + 1) * 10 * 16


def test_the_default_tables_are_those_of_bert():
    assert count_parameters(Genotype(16, 8, "mean", (Node("identity"),))).embeddings == (30522 + 512 + 2) * 8


def test_a_character_network_adds_its_table_its_layers_and_their_products():
    plain = Genotype(16, 8, "mean", (Node("identity"),))
    cnn = plain.with_(source=(("characters", "cnn"),))
    before, after = count_parameters(plain), count_parameters(cnn)
    assert after.embeddings - before.embeddings == 256 * 16
    assert after.encoder - before.encoder == (3 * 16 * 64 + 64) + (64 * 8 + 8)
    assert count_flops(cnn, 10) - count_flops(plain, 10) == 2 * 10 * (17 * 3 * 16 * 64 + 64 * 8)


def test_ngrams_take_the_place_of_the_word_table_whatever_the_vocabulary():
    plain = Genotype(16, 8, "mean", (Node("identity"),))
    ngrams = plain.with_(source=(("characters", "ngrams"),))
    for vocabulary in (100, 30522):
        count = count_parameters(ngrams, vocabulary=vocabulary)
        assert count.embeddings == (8192 + 512 + 2) * 8
        assert count.encoder == count_parameters(plain).encoder
    assert count_flops(ngrams, 10) == count_flops(plain, 10)


@pytest.mark.parametrize("source", [("encoding", "typos"), ("token_dropout", 0.2)])
def test_encoding_and_dropping_tokens_cost_no_parameters_and_no_flops(source):
    plain = Genotype(16, 8, "mean", (Node("identity"),))
    other = plain.with_(source=(source,))
    assert count_parameters(other) == count_parameters(plain)
    assert count_flops(other, 10) == count_flops(plain, 10)
