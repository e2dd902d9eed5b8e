from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rosearch.config.experiment import Experiment
from rosearch.config.plain_data import parse_yaml, read_yaml
from rosearch.run.reference import all_keys, schema_of
from rosearch.space.known import KNOWN

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted((ROOT / "experiments").rglob("*.yaml"))
SPACES = sorted((ROOT / "search_spaces").rglob("*.yaml"))
KINDS = {"experiment": EXPERIMENTS, "search_space": SPACES}


def problems(kind: str, data: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(schema_of(kind)).iter_errors(data)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one_by_its_own_draft(kind: str) -> None:
    Draft202012Validator.check_schema(schema_of(kind))


@pytest.mark.parametrize(
    ("kind", "path"), [(kind, path) for kind, paths in KINDS.items() for path in paths], ids=lambda one: Path(one).name
)
def test_every_file_that_is_there_fits_its_schema(kind: str, path: Path) -> None:
    assert problems(kind, read_yaml(path)) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("experiment", "evolution: {populaton: 3}"),
        ("experiment", "evolution: {population: many}"),
        ("experiment", "evolution: {population: 1}"),
        ("experiment", "evolution: {strategy: luck}"),
        ("experiment", "finalists: {rows: 10}"),  # a key that has moved
        ("search_space", "widths: [130]"),
        ("search_space", "operations: {conv: {kernel: [4]}}"),
        ("search_space", "operations: {attention: {heads: [2]}}"),
        ("search_space", "operations: {attenton: {}}"),
        ("search_space", "merges: [sum]"),
        ("search_space", "source: {characters: [rnn]}"),
        ("search_space", "encoder: {layers: [3]}"),
    ],
)
def test_an_editor_sees_what_is_wrong(kind: str, text: str) -> None:
    whole = read_yaml(KINDS[kind][0])
    assert problems(kind, whole) == []
    assert problems(kind, {**whole, **parse_yaml(text)}) != []


@pytest.mark.parametrize("path", [*EXPERIMENTS, *SPACES], ids=lambda path: path.name)
def test_an_editor_reads_the_numbers_of_a_file_as_we_do(path: Path) -> None:
    """Editors read YAML 1.2, in which 4_500_000 is a text, as are yes, no, on and off."""
    code = [line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line for line in code if re.search(r"[:[,] *(\d+_\d|yes\b|no\b|on\b|off\b)", line)] == []


def test_the_defaults_of_all_sections_fit_the_schema() -> None:
    small = {"name": "n", "search_space": "s", "teacher": {"model": "m"}}
    task = {"name": "t", "text": ["text"], "labels": ["no", "yes"], "generated": {}}
    written = Experiment.model_validate({**small, "task": task}).model_dump(mode="json")
    assert problems("experiment", written) == []


def test_every_key_is_described_and_every_number_that_has_a_unit_says_it() -> None:
    keys = list(all_keys().walk())
    assert len(keys) > 200
    assert [key.name for key in keys if not key.description] == []
    assert [key.name for key in keys if not key.description.endswith((".", "...", ")"))] == []
    bare = {key.name.rpartition(".")[2] for key in keys if key.type.startswith("a whole number") and not key.unit}
    assert bare <= {"seed", "relation_layer"}


def test_the_keys_are_those_that_an_experiment_takes() -> None:
    def names(model: Any, prefix: str = "") -> set[str]:
        found: set[str] = set()
        for name, field in model.model_fields.items():
            if not field.exclude:
                found |= {f"{prefix}{name}"}
                inner = [
                    one
                    for one in (field.annotation, *getattr(field.annotation, "__args__", ()))
                    if hasattr(one, "model_fields")
                ]
                found |= names(inner[0], f"{prefix}{name}.") if inner else set()
        return found

    ours = {key.name for key in all_keys().walk() if not key.name.startswith("search_space.")} - {""}
    assert ours == names(Experiment)


def test_known_architectures_are_named_where_they_are_asked_for() -> None:
    for name in ("baselines", "evolution.warm_start"):
        assert all_keys().find(name)[0].accepted == tuple(KNOWN)


def test_the_keys_of_a_space_stand_below_the_key_that_names_it() -> None:
    (ratio,) = all_keys().find("search_space.operations.ffn.ratio")
    assert ratio.type == "a list of 1 to 256, each a number from 0.125 to 8"
    assert all_keys().find("search_space.source.encoding")[0].default == ["wordpiece"]
    assert {"search_space.encoder.layers", "search_space.widths"} <= {key.name for key in all_keys().walk()}
