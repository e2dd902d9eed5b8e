"""`rosearch explain` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.test_app import HEAVY, loaded
from command_line import rosearch
from jsonschema import Draft202012Validator

from rosearch.config.plain_data import read_yaml

ROOT = Path(__file__).parents[2]


def told(*arguments: str) -> str:
    return rosearch("explain", *arguments, cwd=ROOT).stdout


def test_a_key_is_told_with_what_it_takes_its_unit_and_its_default() -> None:
    lines = [line.split() for line in told("evolution.population").splitlines() if line.strip()]
    assert lines[0] == ["evolution.population"]
    assert ["takes", "a", "whole", "number", "of", "at", "least", "2"] in lines
    assert ["unit", "candidates"] in lines and ["default", "8"] in lines


def test_the_end_of_a_name_is_enough_and_all_that_end_so_are_told() -> None:
    assert told("population") == told("evolution.population")
    printed = told("rows")
    assert "evaluation.robustness.search.rows" in printed and "evaluation.robustness.report.rows" in printed


def test_a_section_is_told_with_its_keys() -> None:
    printed = told("evaluation.efficiency")
    for name in ("batch_sizes", "[1, 32]", "tokens", "warmup", "repeats"):
        assert name in printed


def test_without_a_key_the_sections_are_listed_and_what_to_type_next() -> None:
    printed = told()
    for name in ("task", "distillation", "execution", "search_space"):
        assert f"\n{name} " in printed
    commands = [line.split()[2:] for line in printed.splitlines() if line.startswith("  rosearch explain ")]
    assert len(commands) == 3 and all(told(*command) for command in commands)


def test_a_key_of_a_search_space_is_told() -> None:
    assert "Inner width over width." in told("search_space.operations.ffn.ratio")


def test_a_wrong_key_is_one_line_with_a_near_one() -> None:
    refused = rosearch("explain", "evolution.populaton", cwd=ROOT, expect=3)
    assert refused.stdout == "" and refused.stderr.count("\n") == 1
    assert "Did you mean evolution.population?" in refused.stderr


@pytest.mark.parametrize(
    ("given", "file"), [((), "experiments/quickstart.yaml"), (("search_space",), "search_spaces/quickstart.yaml")]
)
def test_the_schema_that_is_printed_takes_the_files_of_its_kind_alone(given: tuple[str, ...], file: str) -> None:
    validator = Draft202012Validator(rosearch("explain", *given, "--schema", cwd=ROOT).data)
    data = read_yaml(ROOT / file)
    assert validator.is_valid(data) and not validator.is_valid({**data, "populaton": 3})


def test_a_schema_of_another_key_is_a_misused_command() -> None:
    assert "search_space" in rosearch("explain", "evolution", "--schema", cwd=ROOT, expect=2).stderr


@pytest.mark.parametrize("given", [(), ("population",), ("--schema",), ("search_space", "--schema"), ("--json",)])
def test_what_explains_keys_loads_no_heavy_library(given: tuple[str, ...]) -> None:
    assert not set(HEAVY) & loaded("explain", *given, cwd=ROOT)
