from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from rosearch.errors import BadInput
from rosearch.space.encoder_space import EncoderSpace
from rosearch.space.loading import load_space
from rosearch.space.rules import OPERATIONS
from rosearch.space.search_space import SearchSpace

GOOD = {
    "name": "example",
    "min_nodes": 2,
    "max_nodes": 5,
    "max_inputs": 2,
    "merges": ["add", "gate"],
    "widths": [64, 96],
    "ranks": [32, 64],
    "poolings": ["mean"],
    "operations": {
        "attention": {"heads": [2, 6], "conv": [False]},
        "ffn": {"ratio": [1, 2.5], "activation": ["gelu"]},
        "glu": {},
        "identity": None,
    },
    "min_parameters": 1_000_000,
    "max_parameters": 3_000_000,
}


def changed(**changes) -> dict:
    """A good space with values at dotted keys; None takes the key away."""
    data = deepcopy(GOOD)
    for key, value in changes.items():
        *parents, last = key.split("__")
        at = data
        for parent in parents:
            at = at[parent]
        if value is None:
            del at[last]
        else:
            at[last] = value
    return data


def written(data: object, folder: Path) -> Path:
    path = folder / "space.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return path


def problems(data: object, folder: Path) -> list[str]:
    with pytest.raises(BadInput) as caught:
        load_space(written(data, folder))
    at = re.compile(re.escape(str(folder / "space.yaml")) + r"(:\d+)?: ")  # with the line of its key
    assert all(at.match(str(problem)) for problem in caught.value.problems)
    return [at.sub("", str(problem)) for problem in caught.value.problems]


def test_a_good_file_becomes_a_space_with_tuples_and_settings_of_their_own_type(tmp_path):
    space = load_space(written(GOOD, tmp_path))
    assert isinstance(space, SearchSpace)
    assert (space.name, space.widths, space.ranks, space.vocabulary) == ("example", (64, 96), (32, 64), 30522)
    assert space.operations["identity"] == {}
    assert space.operations["attention"] == {"heads": (2, 6), "conv": (False,)}
    assert [type(ratio) for ratio in space.operations["ffn"]["ratio"]] == [float, float]
    assert space.shapes == ((64, 32), (64, 64), (96, 32), (96, 64))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"vocabluary": 100},
            "vocabluary: expected a key of this file (name, min_nodes, ",
        ),
        ({"max_nodes": None}, "max_nodes: expected a whole number from 1 to 64, got nothing"),
        ({"min_nodes": "two"}, "min_nodes: expected a whole number from 1 to 64, got 'two'"),
        ({"min_nodes": True}, "min_nodes: expected a whole number from 1 to 64, got true"),
        ({"min_nodes": 0}, "min_nodes: expected a whole number from 1 to 64, got 0"),
        ({"min_nodes": 6}, "min_nodes: expected at most max_nodes (5), got 6"),
        ({"max_nodes": 65}, "max_nodes: expected a whole number from 1 to 64, got 65"),
        ({"max_inputs": 4}, "max_inputs: expected a whole number from 1 to 3, got 4"),
        ({"merges": ["ad"]}, "merges: expected only add, gate, concat, got 'ad'. Did you mean add?"),
        ({"poolings": ["max"]}, "poolings: expected only first, mean, attention, mean_less_pc1, got 'max'"),
        (
            {"widths": []},
            "widths: expected a list of 1 to 256, each a whole number of at least 8",
        ),
        ({"widths": [64, 96, 100]}, "widths.2: expected a whole number of at least 8 and a multiple of 8, got 100"),
        ({"widths": [64, 96, 64]}, "widths: expected each value once, got 64 twice"),
        ({"widths": [24, 64, 96]}, "widths: expected widths that suit some operation and rank, got 24"),
        (
            {"operations": {"attention": {"heads": [6], "conv": [True]}, "identity": {}}},
            "widths: expected widths that suit some operation and rank, got 64",
        ),
        ({"ranks": [32, 128]}, "ranks: expected at most the largest width (96), got 128. A rank may not"),
        ({"operations": {}}, "operations: expected a section (attention, ffn, "),
        ({"operations": ["glu"]}, "operations: expected a section (attention, ffn, "),
        (
            {"operations": {"identity": {}}},
            "operations: expected at least one operation that is not identity, got identity alone",
        ),
        (
            {"operations__atention": {"heads": [2]}},
            f"operations.atention: expected an operation: {', '.join(OPERATIONS)}, got 'atention'. "
            "Did you mean attention?",
        ),
        ({"operations__glu": [3]}, "operations.glu: expected a mapping of nothing, got [3]"),
        (
            {"operations__glu": {"kernel": [3]}},
            "operations.glu.kernel: expected no settings (glu has none), got 'kernel'",
        ),
        (
            {"operations__conv": {}},
            "operations.conv.kernel: expected a list, each an odd whole number from 1 to 31, got nothing",
        ),
        (
            {"operations__conv": {"kernel": [3], "kernle": [5]}},
            "operations.conv.kernle: expected a setting of conv: kernel, got 'kernle'. Did you mean kernel?",
        ),
        ({"operations__conv": {"kernel": 3}}, "operations.conv.kernel: expected a list"),
        (
            {"operations__conv": {"kernel": [4]}},
            "operations.conv.kernel: expected an odd whole number from 1",
        ),
        (
            {"operations__conv": {"kernel": [3, 3]}},
            "operations.conv.kernel: expected each value once, got 3 twice",
        ),
        ({"operations__attention__conv": [0]}, "operations.attention.conv: expected true or false, got 0"),
        (
            {"operations__attention__heads": [2, 5]},
            "operations.attention.heads: expected a divisor of some width (64, 96), got 5",
        ),
        (
            {"operations__ffn__ratio": ["2"]},
            "operations.ffn.ratio: expected a number from 0.125 to 8, got '2'",
        ),
        (
            {"operations__ffn__activation": ["tanh"]},
            "operations.ffn.activation: expected one of gelu, relu, silu, relu2, got 'tanh'",
        ),
        (
            {"min_parameters": 4_000_000},
            "min_parameters: expected at most max_parameters (3,000,000), got 4,000,000",
        ),
        ({"min_parameters": "1e6"}, "min_parameters: expected a whole number of at least 0, got '1e6'"),
        (
            {"max_parameters": 90_000_000, "min_parameters": 80_000_000},
            "min_parameters, max_parameters: expected a window that meets what the space can build, 995,650",
        ),
        (
            {"max_parameters": 20, "min_parameters": 10},
            "min_parameters, max_parameters: expected a window that meets what the space can build, 995,650",
        ),
    ],
)
def test_one_fault_gives_one_line_with_key_expected_and_got(changes, line, tmp_path):
    first, *more = problems(changed(**changes), tmp_path)
    assert first.startswith(line)
    assert more == []


@pytest.mark.parametrize("key", ["widths", "ranks", "merges", "poolings", "operations"])
def test_a_list_of_endless_choices_is_one_line(key, tmp_path):
    values: list = [8 * number for number in range(1, 300)]
    if key in ("merges", "poolings"):
        values = [f"m{number}" for number in values]
    one = {"operations": {"ffn": {"ratio": values, "activation": ["gelu"]}}} if key == "operations" else {key: values}
    (line,) = problems(changed(**one), tmp_path)
    assert re.search("(list of 1 to|at most) 256", line) and len(line) < 1000


def test_all_faults_of_a_file_are_reported_at_once(tmp_path):
    data = changed(
        min_nodes=9,
        widths=[64, 100],
        merges=["add", "sum"],
        operations__attention__heads=[0],
        operations__swish={},
        operations__ffn__activation=None,
        pooling="mean",
        min_parameters=5_000_000,
    )
    found = problems(data, tmp_path)
    keys = {line.partition(":")[0] for line in found}
    assert keys == {
        "widths.1",
        "pooling",
        "min_nodes",
        "merges",
        "operations.attention.heads",
        "operations.swish",
        "operations.ffn.activation",
        "min_parameters",
    }
    assert len(found) == 8


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- a\n- b\n", "expected a mapping of keys, got a list"),
        ("a: [", "expected valid YAML, got"),
        ("", "expected a mapping"),
    ],
)
def test_a_file_that_holds_no_mapping_is_one_problem(text, line, tmp_path):
    with pytest.raises(BadInput, match=line):
        load_space(written(text, tmp_path))


def test_a_missing_file_is_one_problem(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.yaml: expected a YAML file, got no such file"):
        load_space(tmp_path / "nowhere.yaml")


def test_a_file_without_a_source_has_the_defaults_alone_and_a_section_may_name_some(tmp_path):
    assert load_space(written(GOOD, tmp_path)).source == {
        "encoding": ("wordpiece",),
        "characters": ("none",),
        "token_dropout": (0.0,),
    }
    space = load_space(written(changed(source={"characters": ["none", "cnn"], "token_dropout": [0, 0.1]}), tmp_path))
    assert space.source == {
        "encoding": ("wordpiece",),
        "characters": ("none", "cnn"),
        "token_dropout": (0.0, 0.1),
    }
    assert [type(share) for share in space.source["token_dropout"]] == [float, float]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (["cnn"], "source: expected a section (encoding, characters, token_dropout), got ['cnn']"),
        ({"characters": "cnn"}, "source.characters: expected a list, each one of none, cnn, ngrams, got 'cnn'"),
        ({"characters": []}, "source.characters: expected a list, each one of none, cnn, ngrams, got []"),
        ({"characters": ["lstm"]}, "source.characters: expected one of none, cnn, ngrams, got 'lstm'"),
        ({"encoding": ["typos", "typos"]}, "source.encoding: expected each value once, got 'typos' twice"),
        ({"token_dropout": [1]}, "source.token_dropout: expected a number of at least 0 and below 1, got 1"),
        (
            {"encodings": ["typos"]},
            "source.encodings: expected a setting of the source: encoding, characters, token_dropout, got 'encodings'. "
            "Did you mean encoding?",
        ),
    ],
)
def test_each_fault_of_a_source_section_gives_one_line(source, line, tmp_path):
    first, *more = problems(changed(source=source), tmp_path)
    assert first.startswith(line)
    assert more == []


GOOD_ENCODERS = {
    "name": "example",
    "encoder": {"layers": [2, 1], "heads": [2, 3], "hidden": [16, 24], "ffn": [16, 64], "activation": ["silu"]},
}


def encoders(**changes) -> dict:
    """A good space of encoders with other keys in its section; None takes the key away."""
    section = {**GOOD_ENCODERS["encoder"], **changes}
    return {**GOOD_ENCODERS, "encoder": {key: values for key, values in section.items() if values is not None}}


def test_a_file_with_an_encoder_section_becomes_a_space_of_encoders(tmp_path):
    space = load_space(written(GOOD_ENCODERS, tmp_path))
    assert space == EncoderSpace("example", (2, 1), (2, 3), (16, 24), (16, 64), ("silu",), 30522)
    assert load_space(written({**GOOD_ENCODERS, "vocabulary": 250_002}, tmp_path)).vocabulary == 250_002


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"layers": None}, "encoder.layers: expected a list, each a whole number from 1 to 32, got nothing"),
        ({"layers": [33]}, "encoder.layers: expected a whole number from 1 to 32, got 33"),
        ({"layers": 4}, "encoder.layers: expected a list, each a whole number from 1 to 32, got 4"),
        ({"heads": [2, 2]}, "encoder.heads: expected each value once, got 2 twice"),
        ({"heads": [2, "3"]}, "encoder.heads: expected a whole number of at least 1, got '3'"),
        ({"heads": [2, 7]}, "encoder.heads: expected a divisor of some hidden size (16, 24), got 7"),
        ({"hidden": [16, 20]}, "encoder.hidden: expected a positive multiple of 8, got 20"),
        ({"hidden": [16, 24, 1024]}, "encoder.hidden: expected hidden sizes that suit some heads and ffn, got 1024"),
        ({"ffn": [16, 1]}, "encoder.ffn: expected 0.125 to 8 times some hidden size (16, 24), got 1"),
        ({"ffn": []}, "encoder.ffn: expected a list, each a whole number of at least 1, got []"),
        ({"activation": ["tanh"]}, "encoder.activation: expected one of gelu, relu, silu, relu2, got 'tanh'"),
        (
            {"activations": ["gelu"]},
            "encoder.activations: expected only layers, heads, hidden, ffn, activation, got 'activations'. "
            "Did you mean activation?",
        ),
    ],
)
def test_each_fault_of_an_encoder_section_gives_one_line(changes, line, tmp_path):
    assert problems(encoders(**changes), tmp_path) == [line]


def test_the_keys_of_a_space_of_graphs_beside_an_encoder_section_are_one_line(tmp_path):
    assert problems({**GOOD, **GOOD_ENCODERS}, tmp_path) == [
        "encoder: expected no keys of a space of graphs beside it, got min_nodes, max_nodes, max_inputs, merges, "
        "widths, ranks, poolings, operations, min_parameters, max_parameters. Remove either the section or those keys."
    ]


def test_all_faults_of_a_file_of_encoders_are_reported_at_once(tmp_path):
    data = {**encoders(layers=[0], ffn=None), "name": "two words", "vocabulary": "BERT", "colour": "red", "ranks": [8]}
    found = [line.partition(":")[0] for line in problems(data, tmp_path)]
    assert found == ["colour", "encoder", "encoder.ffn", "encoder.layers", "name", "vocabulary"]  # as they stand in it
    assert problems({"name": "example", "encoder": [3, 4]}, tmp_path) == [
        "encoder: expected a section (layers, heads, hidden, ffn, activation), got [3, 4]"
    ]


def test_a_misspelt_encoder_section_is_suggested(tmp_path):
    found = problems({"name": "example", "encoders": GOOD_ENCODERS["encoder"]}, tmp_path)
    (told,) = (line for line in found if line.startswith("encoders: expected a key of this file"))
    assert told.endswith("got 'encoders'. Did you mean encoder?")
