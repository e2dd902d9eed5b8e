from __future__ import annotations

import dataclasses
import pickle
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosearch.space.cost import count_parameters
from rosearch.space.encoder_space import EncoderChoice, EncoderSpace, encoder_of
from rosearch.space.genotype import Genotype, chain
from rosearch.space.known import KNOWN
from rosearch.space.loading import load_space
from rosearch.space.node import Node

KD_NAS = load_space(Path(__file__).parents[2] / "search_spaces" / "kd_nas.yaml")
FIRST = EncoderChoice(3, 2, 384, 384, "gelu")
ATTENTION = Node.of("attention", heads=4, conv=False)
FFN = Node.of("ffn", ratio=4.0, activation="relu")
LEGAL = Genotype(384, 384, "first", chain([ATTENTION, FFN] * 4))
every_choice = st.sampled_from(KD_NAS.choices())


def test_the_space_is_that_of_kd_nas():
    assert isinstance(KD_NAS, EncoderSpace)
    assert KD_NAS.values == {
        "layers": (3, 4, 6, 10, 12),
        "heads": (2, 3, 4, 6, 12),
        "hidden": (384, 768),
        "ffn": (384, 512, 576, 768, 1024, 1536, 2048, 3072),
        "activation": ("gelu", "relu", "silu"),
    }
    assert (KD_NAS.vocabulary, KD_NAS.encodings) == (30522, ("wordpiece",))


def test_it_holds_1200_encoders_of_as_many_ids_in_a_fixed_order():
    choices, ids = KD_NAS.choices(), [genotype.id for genotype in KD_NAS.genotypes()]
    assert len(choices) == len(set(choices)) == len(set(ids)) == 1200
    assert [KD_NAS.genotype(choice).id for choice in choices] == ids
    assert choices[:4] == (
        FIRST,
        FIRST._replace(activation="relu"),
        FIRST._replace(activation="silu"),
        FIRST._replace(ffn=512),
    )
    assert choices[-1] == (12, 12, 768, 3072, "silu")


def test_ids_are_those_of_recorded_runs():
    assert [KD_NAS.genotype(choice).id for choice in (FIRST, KD_NAS.choices()[-1])] == [
        "a8e661be3b3f3153",
        "29d4c892966acd5e",
    ]


@settings(max_examples=100)
@given(every_choice)
def test_an_encoder_is_a_chain_of_two_nodes_for_each_layer_and_is_read_back(choice):
    genotype = KD_NAS.genotype(choice)
    assert [node.op for node in genotype.nodes] == ["attention", "ffn"] * choice.layers
    assert [node.inputs for node in genotype.nodes] == [(position,) for position in range(2 * choice.layers)]
    assert (genotype.width, genotype.rank, genotype.pooling, genotype.source) == (
        choice.hidden,
        choice.hidden,
        "first",
        (),
    )
    assert KD_NAS.violations(genotype) == []
    stored = Genotype.from_json(genotype.canonical().to_json())
    padded = genotype.with_(nodes=chain([Node("identity"), *genotype.nodes]))
    for same in (genotype, genotype.canonical(), stored, padded):
        assert same.id == genotype.id
        assert KD_NAS.choice(same) == encoder_of(same) == choice


@pytest.mark.parametrize("hidden", KD_NAS.hidden)
@pytest.mark.parametrize("ffn", KD_NAS.ffn)
def test_every_feed_forward_size_is_exact_in_the_cost(ffn, hidden):
    h, vocabulary, rest = hidden, 1000, 512 + 2
    count = count_parameters(KD_NAS.genotype(FIRST._replace(hidden=h, ffn=ffn)), vocabulary=vocabulary)
    layer = 4 * (h * h + h) + 2 * h * ffn + ffn + h + 4 * h  # Q, K, V and output; two maps; two norms
    frame = h * h + h + 4 * h + 2 * h + 2  # the map after the embeddings, two norms, the classifier
    assert count.encoder == 3 * layer + frame
    assert count.embeddings == (vocabulary + rest) * h


@settings(max_examples=50)
@given(st.integers(0, 2**32))
def test_sampling_is_legal_and_repeatable(seed):
    genotype = KD_NAS.sample(random.Random(seed))
    assert KD_NAS.is_legal(genotype)
    assert KD_NAS.sample(random.Random(seed)).to_json() == genotype.to_json()


def test_sampling_reaches_every_value():
    rng = random.Random(1)
    sampled = [encoder_of(KD_NAS.sample(rng)) for _ in range(200)]
    for name, values in KD_NAS.values.items():
        assert {getattr(choice, name) for choice in sampled} == set(values)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"nodes": LEGAL.nodes[:4]}, ["layers must be one of 3, 4, 6, 10, 12, got 2"]),
        (
            {"nodes": chain([ATTENTION.with_(settings=(("conv", False), ("heads", 8))), FFN] * 4)},
            ["heads must be one of 2, 3, 4, 6, 12, got 8"],
        ),
        (
            {"width": 200, "rank": 200},
            [
                "hidden must be one of 384, 768, got 200",
                "ffn must be one of 384, 512, 576, 768, 1024, 1536, 2048, 3072",
            ],
        ),
        (
            {"nodes": chain([ATTENTION, Node.of("ffn", ratio=4.0, activation="relu2")] * 4)},
            ["activation must be one of gelu, relu, silu, got relu2"],
        ),
        (
            {"nodes": chain([ATTENTION, Node.of("ffn", ratio=4.0001, activation="relu")] * 4)},
            ["ffn.ratio must be exactly 1536 / 384"],
        ),
        (
            {"rank": 128, "pooling": "mean", "source": (("encoding", "typos"),)},
            [
                "rank must be the width (384), got 128",
                "pooling must be first, got mean",
                "source.encoding must be its default, got typos",
            ],
        ),
        (
            {"nodes": (*LEGAL.nodes[:7], FFN.with_(inputs=(6,)))},
            ["an encoder is a chain of attention and ffn in turn, got another order or wiring of them"],
        ),
        (
            {"nodes": (*LEGAL.nodes, Node("glu", (), (8,)), Node.of("conv", (9,), kernel=3))},
            ["an encoder is a chain of attention and ffn in turn, got conv, glu"],
        ),
        (
            {"nodes": chain([ATTENTION, FFN, ATTENTION, Node.of("ffn", ratio=2.0, activation="relu")])},
            ["the layers of an encoder must be alike, got different settings"],
        ),
        (
            {"nodes": chain([Node.of("attention", heads=4, conv=True), FFN] * 3)},
            ["attention.conv must be False, got True"],
        ),
        ({"nodes": (Node("identity"),)}, ["an encoder is a chain of attention and ffn in turn, got identity"]),
        (
            {"width": 60},
            ["width must be a positive multiple of 8, got 60", "rank must be a whole number from 1 to the"],
        ),
    ],
)
def test_each_rule_has_its_line_and_what_breaks_one_is_no_choice(changes, expected):
    genotype = dataclasses.replace(LEGAL, **changes)
    found = KD_NAS.violations(genotype)
    assert [line[: len(told)] for line, told in zip(found, expected, strict=True)] == expected
    if expected:
        with pytest.raises(ValueError, match="no encoder of the search space kd_nas: "):
            KD_NAS.choice(genotype)


def test_only_what_can_be_built_is_in_a_space():
    space = EncoderSpace("mixed", (1,), (2, 3), (16, 24), (8, 2, 160), ("gelu",))
    assert [choice[1:4] for choice in space.choices()] == [
        (2, 16, 8), (2, 16, 2), (2, 24, 8), (2, 24, 160), (3, 24, 8), (3, 24, 160),
    ]  # fmt: skip
    assert all(space.is_legal(genotype) for genotype in space.genotypes())


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("tinybert4", (4, 12, 384, 1024, "gelu")),  # of width 312, FFN 1200
        ("bert_mini", (4, 4, 384, 1024, "gelu")),
        ("autodistil", (12, 12, 384, 1536, "gelu")),  # of 11 layers, width 352, 11 heads, FFN 1408
    ],
)
def test_a_transformer_is_fitted_to_the_encoder_with_the_nearest_sizes(name, nearest):
    fitted = KD_NAS.fit(KNOWN[name].genotype)
    assert KD_NAS.choice(fitted) == nearest
    assert KD_NAS.fit(fitted) is fitted


def test_layers_that_differ_are_fitted_by_their_most_common_values():
    other = Node.of("ffn", ratio=1.0, activation="silu")
    nodes = chain([ATTENTION, FFN, ATTENTION, other, Node.of("attention", heads=12, conv=True), FFN])
    assert KD_NAS.choice(KD_NAS.fit(Genotype(384, 64, "mean", nodes))) == (3, 4, 384, 1536, "relu")


@pytest.mark.parametrize(("name", "got"), [("nas_bert_5m", "separable_conv"), ("adabert", "avg_pool, conv, ")])
def test_what_is_no_transformer_cannot_be_fitted_and_says_why(name, got):
    with pytest.raises(ValueError, match=f"does not fit the search space kd_nas: an encoder is a chain .* got {got}"):
        KD_NAS.fit(KNOWN[name].genotype)


def test_it_says_what_it_holds():
    assert KD_NAS.describe() == "1,200 encoders of 14.7 to 109.5 M parameters"


def test_a_space_of_encoders_crosses_to_a_worker():
    again = pickle.loads(pickle.dumps(KD_NAS))
    assert again == KD_NAS and again.choices() == KD_NAS.choices()
