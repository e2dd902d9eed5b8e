from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest

from rosearch.errors import BadInput
from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.known import KNOWN, known_architecture
from rosearch.space.loading import load_space
from rosearch.space.node import Node
from rosearch.space.rules import structural_problems

SPACES = Path(__file__).parents[2] / "search_spaces"
ROBUST_DAG = load_space(SPACES / "robust_dag.yaml")
TINY = load_space(SPACES / "tiny.yaml")


def test_the_nine_architectures_are_there_and_differ():
    assert list(KNOWN) == [
        "static",
        "tinybert4",
        "bert_mini",
        "nas_bert_5m",
        "nas_bert_10m",
        "nas_bert_15m",
        "evolved_transformer",
        "adabert",
        "autodistil",
    ]
    assert len({known.genotype.id for known in KNOWN.values()}) == 9


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_architecture_can_be_built_and_says_where_it_is_from(name):
    known = known_architecture(name)
    assert structural_problems(known.genotype) == []
    assert "arXiv" in known.source
    assert "ours" in known.note.lower()


@pytest.mark.parametrize(("name", "published"), [("tinybert4", 14.4e6), ("bert_mini", 11.2e6), ("autodistil", 26.8e6)])
def test_transformers_have_their_published_size(name, published):
    assert count_parameters(KNOWN[name].genotype).total == pytest.approx(published, rel=0.03)


def test_slots_become_a_chain():
    genotype = KNOWN["nas_bert_15m"].genotype
    assert [node.inputs for node in genotype.nodes] == [(position,) for position in range(24)]
    assert [position for position, node in enumerate(genotype.nodes) if node.op == "attention"] == [
        1,
        8,
        12,
        20,
    ]
    assert (genotype.width, genotype.rank) == (384, 128)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(BadInput, match=r"tinybert: expected one of static, tinybert4, bert_mini, .*, got 'tinybert'"):
        known_architecture("tinybert")


def test_the_floor_of_cost_has_too_few_nodes_to_begin_the_main_search_with():
    with pytest.raises(ValueError, match="1 of its nodes can stay, 4 are needed"):
        ROBUST_DAG.fit(KNOWN["static"].genotype)


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "static"])
def test_every_known_architecture_fits_the_main_space(name):
    fitted = ROBUST_DAG.fit(KNOWN[name].genotype)
    assert ROBUST_DAG.is_legal(fitted)
    assert ROBUST_DAG.fit(fitted) is fitted


def test_fitting_keeps_what_is_legal_and_moves_the_rest_to_the_nearest():
    assert ROBUST_DAG.fit(KNOWN["bert_mini"].genotype) is KNOWN["bert_mini"].genotype
    tinybert = ROBUST_DAG.fit(KNOWN["tinybert4"].genotype)
    assert (tinybert.width, tinybert.rank, tinybert.pooling, len(tinybert.nodes)) == (320, 256, "first", 8)
    assert tinybert.nodes[0].setting == {"heads": 8, "conv": False}
    assert tinybert.nodes[1].setting == {"ratio": 4.0, "activation": "gelu"}


def test_fitting_cuts_surplus_nodes_from_the_end():
    fitted = ROBUST_DAG.fit(KNOWN["autodistil"].genotype)
    assert [node.op for node in fitted.nodes] == ["attention", "ffn"] * 6


def test_fitting_widens_what_is_too_small_and_cuts_what_is_too_large():
    narrow = dataclasses.replace(ROBUST_DAG, min_parameters=9_000_000)
    assert narrow.fit(KNOWN["nas_bert_5m"].genotype).width > 192
    narrow = dataclasses.replace(ROBUST_DAG, max_parameters=4_800_000)
    cut = narrow.fit(KNOWN["evolved_transformer"].genotype)
    assert count_parameters(cut).total <= 4_800_000


def test_fitting_drops_operations_that_the_space_lacks_and_ties_up_their_readers():
    plain = dataclasses.replace(
        ROBUST_DAG, max_inputs=2, operations={"glu": {}, "attention": ROBUST_DAG.operations["attention"]}
    )
    glu, conv = Node("glu"), Node.of("conv", kernel=3)
    nodes = (
        glu,
        conv.with_(inputs=(1,)),
        conv.with_(inputs=(2, 0)),
        *(glu.with_(inputs=(at,)) for at in (3, 4, 5)),
    )
    genotype = Genotype(512, 128, "mean", (*nodes, Node.of("glu", (1, 2, 6), "concat")))
    fitted = plain.fit(genotype)
    # The first convolution stood for node 1, the second for its last input, the source.
    assert [node.inputs for node in fitted.nodes] == [(0,), (0,), (2,), (3,), (1, 4)]
    assert fitted.nodes[-1].merge == "concat"


def test_fitting_snaps_merges_poolings_kernels_and_unknown_settings():
    strict = dataclasses.replace(
        ROBUST_DAG,
        merges=("gate",),
        poolings=("attention",),
        operations={"conv": {"kernel": (5,)}, "ffn": {"ratio": (1.0, 2.0), "activation": ("silu",)}},
    )
    nodes = (
        Node.of("conv", kernel=31),
        Node.of("ffn", (1,), ratio=1.3, activation="gelu"),
        Node.of("conv", (0, 2), "concat", kernel=1),
        Node.of("ffn", (3,), ratio=8.0, activation="relu"),
    )
    fitted = strict.fit(Genotype(512, 128, "mean", nodes))
    assert fitted.pooling == "attention"
    assert [node.setting for node in fitted.nodes] == [
        {"kernel": 5},
        {"ratio": 1.0, "activation": "silu"},
        {"kernel": 5},
        {"ratio": 2.0, "activation": "silu"},
    ]
    assert fitted.nodes[2].merge == "gate"


def test_what_cannot_be_fitted_says_why():
    with pytest.raises(ValueError, match="does not fit the search space tiny: 0 of its nodes can stay, 1 are needed"):
        TINY.fit(KNOWN["adabert"].genotype)
    heavy = dataclasses.replace(ROBUST_DAG, min_parameters=23_000_000)
    with pytest.raises(ValueError, match=r"parameters must be 23,000,000 to 24,000,000, got"):
        heavy.fit(KNOWN["adabert"].genotype)


def test_fitting_a_genotype_of_one_space_to_another_is_legal_there():
    rng = random.Random(9)
    fitted = 0
    for _ in range(100):
        genotype = ROBUST_DAG.sample(rng)
        if any(node.op in TINY.operations for node in genotype.nodes):
            assert TINY.is_legal(TINY.fit(genotype))
            fitted += 1
    assert fitted > 50


def test_fitting_keeps_a_source_that_the_space_has_and_takes_its_first_for_others():
    sources = {"encoding": ("typos", "wordpiece"), "characters": ("none", "cnn"), "token_dropout": (0.1, 0.2)}
    space = dataclasses.replace(ROBUST_DAG, source=sources)
    wanted = KNOWN["bert_mini"].genotype.with_(source=(("characters", "ngrams"), ("token_dropout", 0.2)))
    assert space.fit(wanted).source == (("token_dropout", 0.2),)
    assert space.fit(KNOWN["bert_mini"].genotype).source == (("token_dropout", 0.1),)
    assert ROBUST_DAG.fit(wanted).source == ()
