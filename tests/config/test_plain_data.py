from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rosearch.config.plain_data import MOST_BYTES, parse_json, parse_yaml, read_json, read_yaml
from rosearch.errors import BadInput

LAUGHS = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
REFUSED_YAML = {
    "an int that is none": ("a: 0x_", "is no int"),
    "an int of 9,000 digits": (f"a: {'9' * 9000}", "is no int"),
    "an empty int": ("a: !!int ''", "is no int"),
    "a bool that is none": ("a: !!bool maybe", "is no bool"),
    "a float that is none": ("a: !!float x", "is no float"),
    "a tag of Python": ("a: !!python/object/apply:os.system [ls]", "values of the kind"),
    "a tag that is nobody's": ("a: !x y", "values of the kind"),
    "bytes": ("a: !!binary aGk=", "values of the kind"),
    "a set": ("a: !!set {b}", "values of the kind"),
    "a date that is asked for": ("a: !!timestamp 2026-30-11", "values of the kind"),
    "a key that stands twice": ("a: 1\na: 2", "'a' stands twice"),
    "a key that is a list": ("? [a]\n: 1", "a key must be a word"),
    "a key that is a number": ("1: a", "is no text"),
    "an alias of nothing": ("a: *b", "undefined alias"),
    "a list that holds itself": ("a: &a [*a]", "nested more than 50 deep"),
    "a mapping that holds itself": ("a: &a {b: *a}", "nested more than 50 deep"),
    "aliases of aliases": (LAUGHS, "with its aliases written out"),
    "many aliases": ("a: &a 1\nb: [" + "*a, " * 101 + "]", "more than 100 aliases"),
    "a long text many times": (f"a: &a {'x' * 50_000}\nb: [{'*a, ' * 50}]", "with its aliases written out"),
    "a list too deep": ("a: " + "[" * 60 + "]" * 60, "nested more than 50 deep"),
    "a list far too deep": ("[" * 5000, "nested more than 50 deep"),
    "steps too deep": ("- " * 5000, "nested more than 50 deep"),
    "a number of more than 64 bits": (f"a: {2**63}", "more than 64 bits"),
    "half of a surrogate pair": ('a: "\\ud800"', "which no text may hold"),
    "a NUL": ('a: "\\0"', "which no text may hold"),
    "a NUL in a key": ('"\\0": a', "which no text may hold"),
    "a control character": ("a: \x1b", "special characters are not allowed"),
    "an end that is missing": ("a: [", "expected"),
}
REFUSED_JSON = {
    "an end that is missing": ("{", "Expecting"),
    "a list too deep": ("[" * 60 + "]" * 60, "nested more than 50 deep"),
    "a list far too deep": ("[" * 100_000, "nested more than 50 deep"),
    "NaN": ('{"a": NaN}', "no number of JSON"),
    "infinity": ('{"a": -Infinity}', "no number of JSON"),
    "a key that stands twice": ('{"a": 1, "a": 2}', "'a' stands twice"),
    "an int of 9,000 digits": (f'{{"a": {"9" * 9000}}}', "digits"),
    "a number of more than 64 bits": (f'{{"a": {2**63}}}', "more than 64 bits"),
    "half of a surrogate pair": ('{"a": "\\ud800"}', "which no text may hold"),
    "a NUL": ('{"a": "\\u0000"}', "which no text may hold"),
}


@pytest.mark.parametrize("name", REFUSED_YAML)
def test_whatever_yaml_cannot_read_is_one_line(name: str, tmp_path: Path) -> None:
    text, expected = REFUSED_YAML[name]
    (tmp_path / "a.yaml").write_text(text)
    assert_refused(read_yaml, tmp_path / "a.yaml", expected)


@pytest.mark.parametrize("name", REFUSED_JSON)
def test_whatever_json_cannot_read_is_one_line(name: str, tmp_path: Path) -> None:
    text, expected = REFUSED_JSON[name]
    (tmp_path / "a.json").write_text(text)
    assert_refused(read_json, tmp_path / "a.json", expected)


def assert_refused(read: Any, path: Path, expected: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(path)
    told = str(refused.value)
    assert expected in told and str(path) in told
    assert len(told) < 1000 and "\n" not in told


@pytest.mark.parametrize("read", [read_yaml, read_json])
def test_a_file_that_cannot_be_read_is_one_line(read: Any, tmp_path: Path) -> None:
    (tmp_path / "large").write_text("[" + " " * MOST_BYTES + "]")
    (tmp_path / "latin").write_bytes(b"a: \xe9")
    (tmp_path / "list").write_text("[1]")
    wrong = {"gone": "no such file", ".": "got a folder", "large": "256 KiB", "latin": "utf-8", "list": "got a list"}
    for name, expected in {**wrong, "a\0b": "null", "x" * 300: "too long"}.items():
        assert_refused_softly(read, tmp_path / name, expected)


def assert_refused_softly(read: Any, path: Path, expected: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(path)
    assert expected in str(refused.value)


def test_a_few_aliases_and_merges_are_read_as_what_they_stand_for() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {c: &c {<<: *a, x: 3}}\nd: {<<: *c, z: 4}\ne: [*a, *a]"
    one = {"x": 1, "y": 2}
    merged = {"x": 3, "y": 2}
    assert parse_yaml(text) == {"a": one, "b": {"c": merged}, "d": {**merged, "z": 4}, "e": [one, one]}


def test_merges_of_merges_do_not_explode() -> None:
    levels = (f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 10))
    assert len(parse_yaml("a0: &a0 {x: 1}\n" + "".join(levels))["a9"]) == 10


@pytest.mark.parametrize("text", ["2026-30-11", "2026-11-30", "2026-11-30 25:61:61"])
def test_what_looks_like_a_date_is_a_text(text: str) -> None:
    assert parse_yaml(f"a: {text}") == {"a": text}


def test_plain_data_is_read_as_it_was_written() -> None:
    data = {"a": [1, -(2**62), 0.5, True, None, "é \u202e \U0001f600"], "b": {"c": [], "d": {}}}
    assert parse_json(json.dumps(data)) == data
    assert parse_yaml(json.dumps(data, ensure_ascii=False)) == data


NUMBERS = {"8": 8, "0": 0, "-3": -3, "1_000": 1000, "0x10": 16, "0b11": 3, "0.5": 0.5, "1.0e-5": 1e-5, "007.5": 7.5}
TEXTS = ("010", "-010", "0_1", "1:30", "1:30.5", "-190:20:30", "08", "1e-5")


@pytest.mark.parametrize("text", [*NUMBERS, *TEXTS])
def test_what_yaml_reads_otherwise_than_a_person_would_is_a_text(text: str) -> None:
    assert parse_yaml(f"a: {text}") == {"a": NUMBERS.get(text, text)}
