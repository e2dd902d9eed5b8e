"""The YAML form of a search space, and everything that can be wrong with it, reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rosearch.errors import BadInput, Problem
from rosearch.experiment_file import problems_of
from rosearch.space.genotype import SOURCE_DEFAULTS, Setting
from rosearch.space.rules import (
    HEADS,
    MAX_INPUTS,
    MERGES,
    OPERATIONS,
    POOLINGS,
    SOURCE_SETTINGS,
    WIDTH_STEP,
    SettingRule,
)

MAX_NODES = 64

Width = Annotated[int, Field(ge=WIDTH_STEP, multiple_of=WIDTH_STEP)]
Rank = Annotated[int, Field(ge=1)]


class SpaceFile(BaseModel):
    """The keys of `search_spaces/*.yaml`. Strict: a misspelt key or a number in quotes is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    min_nodes: int = Field(ge=1, le=MAX_NODES)
    max_nodes: int = Field(ge=1, le=MAX_NODES)
    max_inputs: int = Field(ge=1, le=MAX_INPUTS)
    merges: list[str] = Field(min_length=1)
    widths: list[Width] = Field(min_length=1)
    ranks: list[Rank] = Field(min_length=1)
    poolings: list[str] = Field(min_length=1)
    operations: dict[str, Any] = Field(min_length=1)  # checked against the registry of operations
    source: dict[str, Any] = Field(default_factory=dict)  # what is left out has its default alone
    vocabulary: int = Field(30522, ge=1)  # of BERT
    min_parameters: int = Field(ge=0)
    max_parameters: int = Field(ge=1)


def read_space_file(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of a search space from the mapping of its file, lists as tuples, settings as their own type.

    Raises `BadInput` with every problem found.
    """
    problems: list[Problem] = []
    faulty: set[str] = set()  # fields whose form is wrong already: nothing more is said of them
    try:
        fields = SpaceFile.model_validate(data).model_dump()
    except ValidationError as error:
        problems = [_with_suggestion(problem) for problem in problems_of(error, where)]
        faulty = {str(item["loc"][0]) for item in error.errors()}
        fields = {name: data[name] for name in SpaceFile.model_fields if name in data}
    sound = {name: value for name, value in fields.items() if name not in faulty}
    found = [*_list_problems(sound), *_order_problems(sound), *_operation_problems(sound), *_source_problems(sound)]
    problems += [Problem(where, key, expected, got, fix) for key, expected, got, fix in found]
    if problems:
        raise BadInput(problems)
    fields["operations"] = {
        op: {name: _typed(OPERATIONS[op][name], values) for name, values in (choices or {}).items()}
        for op, choices in fields["operations"].items()
    }
    fields["source"] = {
        name: _typed(rule, fields["source"].get(name, [SOURCE_DEFAULTS[name]]))
        for name, rule in SOURCE_SETTINGS.items()
    }
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


_Found = tuple[str, str, str, str]  # key, expected, got, fix


def _typed(rule: SettingRule, values: Iterable[Setting]) -> tuple[Setting, ...]:
    return tuple(rule.kind(value) for value in values)


def _list_problems(fields: Mapping[str, Any]) -> Iterator[_Found]:
    for key, known in (("merges", MERGES), ("poolings", POOLINGS)):
        for value in fields.get(key, ()):
            if value not in known:
                yield key, f"only {', '.join(known)}", repr(value), _suggestion(value, known)
    for key in ("merges", "poolings", "widths", "ranks"):
        if key in fields and (repeated := _repeated(fields[key])):
            yield key, "each value once", f"{repeated[0]!r} twice", ""


def _order_problems(fields: Mapping[str, Any]) -> Iterator[_Found]:
    for what in ("nodes", "parameters"):
        low, high = fields.get(f"min_{what}"), fields.get(f"max_{what}")
        if low is not None and high is not None and low > high:
            yield f"min_{what}", f"at most max_{what} ({high:,})", f"{low:,}", ""
    if "widths" in fields:
        widest = max(fields["widths"])
        for rank in fields.get("ranks", ()):
            if rank > widest:
                yield (
                    "ranks",
                    f"at most the largest width ({widest})",
                    str(rank),
                    "A rank may not exceed the width.",
                )


def _operation_problems(fields: Mapping[str, Any]) -> Iterator[_Found]:
    operations = fields.get("operations", {})
    for op, choices in operations.items():
        key = f"operations.{op}"
        if op not in OPERATIONS:
            yield key, f"an operation: {', '.join(OPERATIONS)}", repr(op), _suggestion(op, OPERATIONS)
        elif choices is not None and not isinstance(choices, dict):
            yield key, f"a mapping of {', '.join(OPERATIONS[op]) or 'nothing'}", repr(choices), ""
        else:
            yield from _setting_problems(op, choices or {}, fields.get("widths", ()))
    if set(operations) == {"identity"}:
        yield "operations", "at least one operation that is not identity", "identity alone", ""


def _setting_problems(op: str, choices: Mapping[str, Any], widths: Iterable[int]) -> Iterator[_Found]:
    rules = OPERATIONS[op]
    for name in rules:
        if name not in choices:
            yield f"operations.{op}.{name}", f"a list, each {rules[name].expected}", "nothing", ""
    for name, values in choices.items():
        key = f"operations.{op}.{name}"
        if name not in rules:
            expected = f"a setting of {op}: {', '.join(rules)}" if rules else f"no settings ({op} has none)"
            yield key, expected, repr(name), _suggestion(name, rules)
            continue
        yield from _value_problems(key, values, rules[name])
        if rules[name] is HEADS and isinstance(values, list):
            for value in values:
                if HEADS.accepts(value) and widths and all(width % value for width in widths):
                    yield key, f"a divisor of some width ({', '.join(map(str, widths))})", str(value), ""


def _source_problems(fields: Mapping[str, Any]) -> Iterator[_Found]:
    for name, values in fields.get("source", {}).items():
        if name in SOURCE_SETTINGS:
            yield from _value_problems(f"source.{name}", values, SOURCE_SETTINGS[name])
        else:
            expected = f"a setting of the source: {', '.join(SOURCE_SETTINGS)}"
            yield f"source.{name}", expected, repr(name), _suggestion(name, SOURCE_SETTINGS)


def _value_problems(key: str, values: Any, rule: SettingRule) -> Iterator[_Found]:
    if not isinstance(values, list) or not values:
        yield key, f"a list, each {rule.expected}", repr(values), ""
        return
    refused = [value for value in values if not rule.accepts(value)]
    for value in refused:
        yield key, rule.expected, repr(value), ""
    if not refused and (repeated := _repeated(values)):
        yield key, "each value once", f"{repeated[0]!r} twice", ""


def _repeated(values: list[Any]) -> list[Any]:
    return [value for index, value in enumerate(values) if value in values[:index]]


def _suggestion(name: object, known: Iterable[str]) -> str:
    close = get_close_matches(str(name), list(known), n=1)
    return f"Did you mean {close[0]}?" if close else ""


def _with_suggestion(problem: Problem) -> Problem:
    if not problem.got.startswith("unknown key"):
        return problem
    return replace(problem, fix=_suggestion(problem.key, SpaceFile.model_fields))
