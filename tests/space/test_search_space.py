from __future__ import annotations

import dataclasses
import pickle
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosearch.errors import BadInput
from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.identity import working_nodes
from rosearch.space.loading import load_space
from rosearch.space.node import Node
from rosearch.space.rules import CHARACTERS, ENCODINGS, MERGES, OPERATIONS, POOLINGS
from rosearch.space.search_space import sample_node, sample_settings

SPACES = Path(__file__).parents[2] / "search_spaces"
ROBUST_DAG = load_space(SPACES / "robust_dag.yaml")
ROBUST_INPUT = load_space(SPACES / "robust_input.yaml")
TINY = load_space(SPACES / "tiny.yaml")
BERT_BASE = 109_482_240


def test_every_space_in_the_repository_loads_and_can_be_sampled():
    paths = sorted(SPACES.rglob("*.yaml"))
    assert len(paths) >= 7
    for path in paths:
        space = load_space(path)
        assert space.name == path.stem
        assert space.is_legal(space.sample(random.Random(1)))


def test_the_main_space_is_the_one_that_is_described():
    assert (ROBUST_DAG.min_nodes, ROBUST_DAG.max_nodes, ROBUST_DAG.max_inputs) == (4, 12, 3)
    assert set(ROBUST_DAG.operations) == set(OPERATIONS)
    assert (ROBUST_DAG.merges, ROBUST_DAG.poolings) == (MERGES, POOLINGS[:3])  # the fourth: docs/search_spaces.md
    assert (min(ROBUST_DAG.widths), max(ROBUST_DAG.widths)) == (128, 512)
    assert ROBUST_DAG.operations["ffn"]["ratio"] == (0.5, 1.0, 2.0, 4.0)
    assert BERT_BASE / ROBUST_DAG.max_parameters < 4.6
    assert BERT_BASE / ROBUST_DAG.min_parameters > 20


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.sampled_from([ROBUST_DAG, ROBUST_INPUT, TINY]))
def test_a_sampled_genotype_is_legal_and_so_is_its_canonical_form(seed, space):
    genotype = space.sample(random.Random(seed))
    assert space.violations(genotype) == []
    assert space.violations(genotype.canonical()) == []
    assert all(len(set(node.inputs)) == len(node.inputs) for node in genotype.nodes)
    assert Genotype.from_json(genotype.to_json()).id == genotype.id


def test_the_same_generator_state_gives_the_same_genotype_and_the_global_one_is_left_alone():
    before = random.getstate()
    first = [ROBUST_DAG.sample(random.Random(7)).to_json() for _ in range(3)]
    assert len(set(first)) == 1
    assert ROBUST_DAG.sample(random.Random(8)).to_json() != first[0]
    assert random.getstate() == before


def test_sampling_reaches_every_choice_of_the_main_space():
    rng = random.Random(3)
    sampled = [ROBUST_DAG.sample(rng) for _ in range(1500)]
    nodes = [node for genotype in sampled for node in genotype.nodes]
    assert {genotype.width for genotype in sampled} == set(ROBUST_DAG.widths)
    assert {genotype.rank for genotype in sampled} == set(ROBUST_DAG.ranks)
    assert {genotype.pooling for genotype in sampled} == set(ROBUST_DAG.poolings)
    assert {len(genotype.nodes) for genotype in sampled} == set(range(4, 13))
    assert {len(node.inputs) for node in nodes} == {1, 2, 3}
    assert {node.merge for node in nodes} == set(MERGES)
    for op, choices in ROBUST_DAG.operations.items():
        for name, values in choices.items():
            assert {node.setting[name] for node in nodes if node.op == op} == set(values)


def test_the_sampled_sizes_reach_from_the_published_compression_to_twenty_times():
    rng = random.Random(4)
    sizes = [count_parameters(ROBUST_DAG.sample(rng)).total for _ in range(1500)]
    assert max(sizes) > BERT_BASE / 6.5
    assert min(sizes) < BERT_BASE / 20
    assert sum(BERT_BASE / 16 <= size <= BERT_BASE / 8 for size in sizes) > 500


@given(st.integers(0, 2**32), st.sampled_from(ROBUST_DAG.widths), st.integers(1, 12))
def test_a_sampled_node_fits_its_position_and_width(seed, width, position):
    node = sample_node(ROBUST_DAG, width, position, random.Random(seed))
    assert all(0 <= read < position for read in node.inputs)
    assert len(set(node.inputs)) == len(node.inputs) <= 3
    chain = tuple(Node("glu", (), (before,)) for before in range(position - 1))
    broken = ROBUST_DAG.violations(Genotype(width, 64, "mean", (*chain, node)))
    assert not [line for line in broken if line.startswith("node ")]


def test_heads_that_do_not_divide_the_width_are_never_sampled():
    rng = random.Random(5)
    seen = {width: Counter() for width in ROBUST_DAG.widths}
    for width in ROBUST_DAG.widths:
        for _ in range(200):
            seen[width][sample_settings(ROBUST_DAG, "attention", width, rng)["heads"]] += 1
    assert set(seen[128]) == {2, 4, 8}
    assert set(seen[384]) == {2, 4, 6, 8, 12}


def test_an_operation_that_suits_no_width_is_not_offered_there():
    space = dataclasses.replace(TINY, widths=(64, 88), operations={**TINY.operations, "attention": {"heads": (16,)}})
    assert set(space.operations_at(64)) == {"attention", "separable_conv"}
    assert set(space.operations_at(88)) == {"separable_conv"}
    with pytest.raises(KeyError):
        sample_settings(space, "attention", 88, random.Random(1))
    alone = dataclasses.replace(space, operations={"attention": {"heads": (16,), "conv": (False,)}})
    assert {width for width, _ in alone.shapes} == {64}
    assert {alone.sample(random.Random(seed)).width for seed in range(20)} == {64}


ATTENTION = Node.of("attention", heads=4, conv=False)
LEGAL = Genotype(384, 128, "mean", tuple(ATTENTION.with_(inputs=(position,)) for position in range(5)))


@pytest.mark.parametrize(
    ("space", "changes", "expected"),
    [
        ({}, {}, []),
        ({}, {"width": 256 + 8}, ["width must be one of 128, 192, 256, 320, 384, 448, 512, got 264"]),
        ({}, {"rank": 100}, ["rank must be one of 64, 96, 128, 192, 256, got 100"]),
        ({"poolings": ("first",)}, {}, ["pooling must be one of first, got mean"]),
        ({"max_nodes": 4}, {}, ["at most 4 nodes are allowed, got 5"]),
        ({"min_nodes": 6}, {}, ["at least 6 nodes that do something are needed, got 5"]),
        ({"min_parameters": 10**7}, {}, ["parameters must be 10,000,000 to 24,000,000, got 6,985,090"]),
        ({"max_parameters": 5_000_000}, {}, ["parameters must be 4,500,000 to 5,000,000, got 6,985,090"]),
        ({}, {"source": (("encoding", "typos"),)}, ["source.encoding must be one of wordpiece, got typos"]),
        (
            {"source": {**ROBUST_INPUT.source, "token_dropout": (0.2,)}},
            {},
            ["source.token_dropout must be one of 0.2, got 0.0"],
        ),
        ({"source": ROBUST_INPUT.source}, {"source": (("encoding", "typos"), ("characters", "cnn"))}, []),
    ],
)
def test_each_rule_of_a_space_has_its_line(space, changes, expected):
    genotype = dataclasses.replace(LEGAL, **changes)
    assert dataclasses.replace(ROBUST_DAG, **space).violations(genotype) == expected
    assert dataclasses.replace(ROBUST_DAG, **space).is_legal(genotype) == (not expected)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Node("glu", (), (4,)), "operation must be one of attention, got glu"),
        (
            ATTENTION.with_(settings=(("conv", True), ("heads", 4)), inputs=(4,)),
            "attention.conv must be one of False",
        ),
        (ATTENTION.with_(inputs=(1, 2, 3)), "at most 2 inputs are allowed, got 3"),
        (ATTENTION.with_(inputs=(1, 2), merge="gate"), "merge must be one of add, got gate"),
    ],
)
def test_each_rule_of_a_node_has_its_line(node, expected):
    space = dataclasses.replace(
        ROBUST_DAG, max_inputs=2, merges=("add",), operations={"attention": {"heads": (4,), "conv": (False,)}}
    )
    genotype = dataclasses.replace(LEGAL, nodes=(*LEGAL.nodes[:4], node))
    (problem,) = space.violations(genotype)
    assert problem.startswith(f"node 5: {expected}")


def test_all_violations_are_reported_at_once_and_structural_ones_alone():
    nodes = tuple(Node("identity") for _ in range(13))
    broken = ROBUST_DAG.violations(Genotype(64, 32, "mean", nodes))
    assert [line.split(" must")[0].split(" nodes")[0] for line in broken] == [
        "at most 12",
        "at least 4",
        "width",
        "rank",
        "parameters",
    ]
    assert ROBUST_DAG.violations(Genotype(60, 32, "mean", (Node("warp"),))) == [
        "width must be a positive multiple of 8, got 60",
        f"node 1: unknown operation 'warp', known are {', '.join(OPERATIONS)}",
    ]


def test_identities_that_pass_on_do_not_count_as_nodes_that_do_something():
    skips = Genotype(384, 256, "mean", (*LEGAL.nodes[:3], Node("identity", (), (1,)), Node("identity", (), (2,))))
    assert working_nodes(skips.nodes, skips.sinks) == 3
    assert ROBUST_DAG.violations(skips) == ["at least 4 nodes that do something are needed, got 3"]
    assert ROBUST_DAG.is_legal(Genotype(384, 256, "mean", (*LEGAL.nodes[:4], Node("identity", (), (1,)))))


def test_the_tiny_space_is_enumerated_once_by_id_and_in_full():
    genotypes = list(TINY.genotypes())
    ids = {genotype.id for genotype in genotypes}
    assert len(genotypes) == len(ids) == 428
    assert all(TINY.is_legal(genotype) for genotype in genotypes)
    rng = random.Random(6)
    assert {TINY.sample(rng).id for _ in range(3000)} <= ids


def test_enumeration_tells_ports_apart_and_counts_what_can_be_counted_by_hand():
    one = dataclasses.replace(
        TINY, min_nodes=2, max_nodes=2, widths=(64,), ranks=(32,), merges=("concat",), operations={"glu": {}}
    )
    # The second node reads the source, the first, or both in either order.
    assert len(list(one.genotypes())) == 4


def test_a_window_that_hardly_anything_meets_ends_sampling_with_the_rule_that_was_broken():
    narrow = dataclasses.replace(ROBUST_DAG, min_parameters=7_000_001, max_parameters=7_000_002)
    with pytest.raises(BadInput, match=r"robust_dag: expected legal genotypes, got \d+ of \d+ .* parameters must be"):
        narrow.sample(random.Random(1))


def test_a_space_crosses_to_a_worker():
    again = pickle.loads(pickle.dumps(ROBUST_DAG))
    assert again == ROBUST_DAG
    assert again.sample(random.Random(2)) == ROBUST_DAG.sample(random.Random(2))


def test_the_space_loads_no_torch():
    code = (
        "import sys, rosearch.space.known\n"
        "loaded = {'torch', 'transformers', 'textattack', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == ""


def test_a_space_without_sources_gives_the_genotypes_it_gave_before_there_were_any():
    # Runs are repeated by their seeds.
    rng = random.Random(5)
    assert [ROBUST_DAG.sample(rng).id for _ in range(2)] == ["0d012e30f242380f", "3fa56665b96572b9"]


def test_robust_input_is_the_main_space_with_sources():
    assert dataclasses.replace(ROBUST_INPUT, name="robust_dag", source=ROBUST_DAG.source) == ROBUST_DAG
    assert ROBUST_INPUT.source["encoding"] == tuple(name for name in ENCODINGS if name != "task_typos")  # as it was
    assert ROBUST_INPUT.source["characters"] == CHARACTERS


def test_sampling_reaches_every_value_of_the_source():
    rng = random.Random(3)
    sampled = [ROBUST_INPUT.sample(rng).source_setting for _ in range(200)]
    for name, values in ROBUST_INPUT.source.items():
        assert {source[name] for source in sampled} == set(values)


def test_enumeration_goes_through_the_sources():
    one = dataclasses.replace(TINY, max_nodes=1, widths=(64,), ranks=(32,), operations={"glu": {}}, min_parameters=0)
    assert len(list(one.genotypes())) == 1
    several = dataclasses.replace(one, source={**ROBUST_INPUT.source, "encoding": ("wordpiece", "typos")})
    found = [(genotype.id, genotype.source) for genotype in several.genotypes()]
    assert len(found) == len(dict(found)) == 2 * 3 * 3


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_the_range_of_a_shape_holds_whatever_the_source(seed):
    genotype = ROBUST_INPUT.sample(random.Random(seed))
    low, high = ROBUST_INPUT.parameter_range(genotype.width, genotype.rank)
    assert low <= count_parameters(genotype).total <= high


def test_a_window_that_only_ngrams_meet_has_shapes_and_can_be_sampled():
    small = dataclasses.replace(ROBUST_INPUT, min_parameters=0, max_parameters=1_800_000, widths=(128,), ranks=(96,))
    assert small.shapes == ((128, 96),)
    assert {small.sample(random.Random(seed)).source_setting["characters"] for seed in range(9)} == {"ngrams"}
    assert dataclasses.replace(small, source=ROBUST_DAG.source).shapes == ()
