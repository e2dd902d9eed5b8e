from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.made_records import make_genotype

from rosearch.report.features import FEATURES, SHARES, architecture_features
from rosearch.space.cost import count_parameters
from rosearch.space.genes import key_of
from rosearch.space.genotype import Genotype, chain
from rosearch.space.node import Node
from rosearch.space.rules import OPERATIONS


def genotype(*nodes: Node) -> Genotype:
    return Genotype(128, 32, "mean", nodes)


FFN = Node.of("ffn", ratio=1, activation="gelu")


def test_every_feature_is_computed_and_no_other() -> None:
    assert list(architecture_features(genotype(FFN))) == list(FEATURES)


def test_every_operation_but_identity_counts_towards_exactly_one_share() -> None:
    counted = [op for members in SHARES.values() for op in members]
    assert sorted(counted) == sorted(set(OPERATIONS) - {"identity"})


def test_a_chain_has_its_length_as_depth_and_no_skips() -> None:
    features = architecture_features(genotype(FFN, FFN.with_(inputs=(1,)), FFN.with_(inputs=(2,))))
    assert (features["depth"], features["nodes"], features["edges"], features["skips"]) == (3, 3, 4, 0)
    assert features["density"] == pytest.approx(4 / 10)  # five vertices in a row: ten pairs
    assert features["inputs_per_node"] == 1


def test_a_diamond_with_a_long_edge_has_its_skips_counted() -> None:
    # 1, 2 and 5, which is a sink, read the source; 3 reads 1 and 2; 4 reads 3 and the source.
    nodes = (
        Node.of("attention", heads=2, conv=True),
        Node.of("conv", kernel=5),
        Node.of("glu", (1, 2), "gate"),
        Node.of("avg_pool", (3, 0), "concat", kernel=3),
        Node.of("max_pool", (0,), kernel=3),
    )
    features = architecture_features(genotype(*nodes))
    assert features["depth"] == 3
    assert features["edges"] == 9  # seven inputs and two sinks
    assert features["skips"] == 2  # source to 4, and 5 to the output
    assert features["inputs_per_node"] == pytest.approx(7 / 5)
    assert features["attention_share"] == features["convolution_share"] == features["glu_share"] == pytest.approx(0.2)
    assert features["pooling_share"] == pytest.approx(0.4)
    assert features["feed_forward_share"] == 0
    assert features["mean_kernel"] == pytest.approx(11 / 3)
    assert (features["width"], features["rank"]) == (128, 32)


def test_a_mean_kernel_is_missing_where_no_operator_has_a_kernel() -> None:
    assert math.isnan(architecture_features(genotype(FFN))["mean_kernel"])


def test_parameters_are_those_of_the_cost_of_the_space() -> None:
    count = count_parameters(genotype(FFN))
    features = architecture_features(genotype(FFN))
    assert (features["parameters"], features["encoder_parameters"]) == (count.total, count.encoder)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ((), {}),
        ((("encoding", "typos"),), {"typo_encoding": 1}),
        ((("encoding", "synonyms"),), {"synonym_encoding": 1}),
        ((("encoding", "typos+synonyms"),), {"typo_encoding": 1, "synonym_encoding": 1}),
        ((("characters", "cnn"),), {"character_cnn": 1}),
        ((("characters", "ngrams"), ("token_dropout", 0.2)), {"character_ngrams": 1, "token_dropout": 0.2}),
    ],
)
def test_the_settings_of_the_source_are_numbers(source: tuple[tuple[str, str | float], ...], told: dict) -> None:
    features = architecture_features(genotype(FFN).with_(source=source))
    names = ("typo_encoding", "synonym_encoding", "character_cnn", "character_ngrams", "token_dropout")
    assert {name: features[name] for name in names if features[name]} == told


def test_the_settings_of_the_training_are_numbers_and_missing_where_the_search_chose_none() -> None:
    chosen = (("robust_kd.average", None), ("robust_kd.sources", ("wordnet", "characters", "characters", "wordnet")))
    features = architecture_features(genotype(FFN).with_(training=(*chosen, ("robust_kd.words", 0.25))))
    ours = {name: value for name, value in features.items() if name.startswith("robust_kd") and not math.isnan(value)}
    sources = {f"robust_kd_sources_{name}" for name in key_of("robust_kd.sources").accepted}
    assert ours.keys() == {*sources, "robust_kd_words", "robust_kd_average"}
    assert {name: value for name, value in ours.items() if value} == {
        "robust_kd_sources_characters": 0.5,
        "robust_kd_sources_wordnet": 0.5,
        "robust_kd_words": 0.25,
    }
    plain = architecture_features(genotype(FFN))
    assert all(math.isnan(plain[name]) for name in ("learning_rate", *ours))


def test_an_encoder_has_its_heads_feed_forward_size_and_activation_as_features() -> None:
    attention, relu = Node.of("attention", heads=4, conv=False), Node.of("ffn", ratio=4.0, activation="relu")
    features = architecture_features(genotype(*chain([attention, relu] * 3)))
    assert {name: features[name] for name in ("heads", "ffn", "relu", "silu")} == {
        "heads": 4,
        "ffn": 512,
        "relu": 1,
        "silu": 0,
    }
    assert (features["depth"], features["width"]) == (6, 128)


def test_what_only_an_encoder_has_is_missing_of_other_graphs() -> None:
    attention = Node.of("attention", heads=4, conv=False)
    for other in (genotype(FFN), genotype(attention, FFN), genotype(*chain([attention, FFN, attention]))):
        features = architecture_features(other)
        assert all(math.isnan(features[name]) for name in ("heads", "ffn", "relu", "silu"))


def test_no_ops_leave_the_features_as_they_are() -> None:
    plain = genotype(FFN, FFN.with_(inputs=(1, 0)))
    padded = genotype(Node.of("identity"), FFN.with_(inputs=(1,)), FFN.with_(inputs=(2, 1)), Node.of("identity", (3,)))
    assert plain.id == padded.id
    assert equal(architecture_features(plain), architecture_features(padded))


def test_a_genotype_of_no_ops_only_has_features() -> None:
    features = architecture_features(genotype(Node.of("identity")))
    assert (features["depth"], features["nodes"], features["edges"], features["density"]) == (0, 0, 1, 1)
    assert all(features[share] == 0 for share in SHARES)


@given(st.integers(0, 2**32), st.integers(1, 8))
def test_the_features_survive_renumbering_and_stay_in_their_ranges(seed: int, nodes: int) -> None:
    made = make_genotype(random.Random(seed), nodes)
    features = architecture_features(made)
    assert equal(features, architecture_features(made.canonical()))
    assert 1 <= features["depth"] <= features["nodes"] == nodes  # none of its operators is a no-op
    assert 0 < features["density"] <= 1
    assert 0 <= features["skips"] <= features["edges"]
    assert sum(features[share] for share in SHARES) == pytest.approx(1)


def equal(one: dict[str, float], other: dict[str, float]) -> bool:
    return one == pytest.approx(other, nan_ok=True)
