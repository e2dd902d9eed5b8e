from __future__ import annotations

import pytest

from rosearch.space.cost import count_flops, count_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.space.rules import CHARACTERS, ENCODINGS, MERGES, OPERATIONS, POOLINGS, structural_problems

EXAMPLES = {"heads": 4, "conv": True, "ratio": 0.5, "activation": "relu2", "kernel": 5}


def example(op: str) -> Node:
    return Node.of(op, **{name: EXAMPLES[name] for name in OPERATIONS[op]})


@pytest.mark.parametrize("op", OPERATIONS)
def test_every_operation_is_sound_with_its_settings_and_has_a_cost(op):
    genotype = Genotype(64, 32, "mean", (example(op),))
    assert structural_problems(genotype) == []
    empty = Genotype(64, 32, "mean", (Node("identity"),))
    assert (count_parameters(genotype).encoder > count_parameters(empty).encoder) == (op != "identity")
    free = op in ("identity", "max_pool", "avg_pool")
    assert (count_flops(genotype, 8) > count_flops(empty, 8)) == (not free)


@pytest.mark.parametrize("op", [op for op, rules in OPERATIONS.items() if rules])
def test_a_missing_a_foreign_and_a_repeated_setting_are_all_named(op):
    name, *_ = OPERATIONS[op]
    bare = Genotype(64, 32, "mean", (Node(op),))
    assert [problem for problem in structural_problems(bare) if f"{op} lacks its setting {name!r}" in problem]
    foreign = Genotype(64, 32, "mean", (example(op).with_(settings=(*example(op).settings, ("colour", 1))),))
    assert structural_problems(foreign) == [f"node 1: {op} has no setting 'colour', it has {', '.join(OPERATIONS[op])}"]
    twice = Genotype(64, 32, "mean", (example(op).with_(settings=(*example(op).settings, (name, EXAMPLES[name]))),))
    assert structural_problems(twice) == [f"node 1: {op}.{name} is given twice"]


@pytest.mark.parametrize(
    ("op", "name", "value"),
    [
        ("attention", "heads", 0),
        ("attention", "heads", 5),
        ("attention", "heads", True),
        ("attention", "heads", 4.0),
        ("attention", "conv", 1),
        ("ffn", "ratio", 0),
        ("ffn", "ratio", float("nan")),
        ("ffn", "ratio", "2"),
        ("ffn", "ratio", 9),
        ("ffn", "activation", "tanh"),
        ("conv", "kernel", 4),
        ("conv", "kernel", -1),
        ("conv", "kernel", 33),
        ("max_pool", "kernel", "3"),
    ],
)
def test_a_value_that_a_setting_cannot_take_is_one_problem(op, name, value):
    settings = {**example(op).setting, name: value}
    (problem,) = structural_problems(Genotype(64, 32, "mean", (Node.of(op, **settings),)))
    assert problem.startswith(f"node 1: {op}.{name} must")
    assert problem.endswith(f"got {value!r}")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 60}, "width must be a positive multiple of 8, got 60"),
        ({"width": 0, "rank": 0}, "width must be"),
        ({"rank": 65}, "rank must be a whole number from 1 to the width (64), got 65"),
        ({"rank": 0}, "rank must be"),
        ({"pooling": "max"}, "pooling must be one of first, mean, attention, mean_less_pc1, got 'max'"),
    ],
)
def test_width_rank_and_pooling_have_limits(changes, said):
    parts = {"width": 64, "rank": 32, "pooling": "mean", "nodes": (Node("glu"),)} | changes
    assert said in "\n".join(structural_problems(Genotype(**parts)))


def test_all_problems_of_a_genotype_are_reported_at_once():
    nodes = (Node("warp"), Node.of("glu", (0, 1, 1, 0), "multiply"))
    problems = structural_problems(Genotype(60, 100, "max", nodes))
    assert [problem.split(" must")[0].split(" reads")[0].split(" operation")[0] for problem in problems] == [
        "width",
        "rank",
        "pooling",
        "node 1: unknown",
        "node 2: glu",
        "node 2: merge",
    ]


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_merge_and_pooling_is_sound(merge, pooling):
    genotype = Genotype(64, 64, pooling, (Node("glu"), Node("glu"), Node("glu", (), (0, 1, 2), merge)))
    assert structural_problems(genotype) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("encoding", value) for value in ENCODINGS),
        *(("characters", value) for value in CHARACTERS),
        *(("token_dropout", value) for value in (0, 0.1, 0.99)),
    ],
)
def test_every_value_of_the_source_is_sound(name, value):
    assert structural_problems(Genotype(64, 32, "mean", (Node("glu"),), ((name, value),))) == []


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (
            (("encoding", "bytes"),),
            "source.encoding must be one of wordpiece, typos, task_typos, synonyms, typos+synonyms, got 'b",
        ),
        ((("characters", True),), "source.characters must be one of none, cnn, ngrams, got True"),
        ((("token_dropout", 1.0),), "source.token_dropout must be a number of at least 0 and below 1, got 1.0"),
        ((("token_dropout", -0.1),), "source.token_dropout must be a number of at least 0 and below 1, got -0.1"),
        ((("token_dropout", "0.1"),), "source.token_dropout must be a number of at least 0 and below 1, got '0.1'"),
        ((("colour", 1),), "source has no setting 'colour', it has encoding, characters, token_dropout"),
        ((("characters", "cnn"), ("characters", "ngrams")), "source.characters is given twice"),
    ],
)
def test_each_fault_of_a_source_has_its_line(source, line):
    (problem,) = structural_problems(Genotype(64, 32, "mean", (Node("glu"),), source))
    assert problem.startswith(line)
