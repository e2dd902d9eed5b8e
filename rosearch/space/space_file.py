"""A search space's YAML file read: the fields of the space, or all problems of the file at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from rosearch.config.section import problems_of
from rosearch.errors import BadInput, Problem, nearest
from rosearch.space.genes import GENES, choice_problems, typed
from rosearch.space.genotype import SOURCE_DEFAULTS
from rosearch.space.keys import ENCODER_VALUES, MOST_VALUES, EncoderFile, SpaceFile
from rosearch.space.node import Setting
from rosearch.space.rules import (
    HEADS,
    MAX_RATIO,
    MERGES,
    MIN_RATIO,
    OPERATIONS,
    POOLINGS,
    RATIO,
    SOURCE_SETTINGS,
    SettingRule,
)


def read_space_file(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of a `SearchSpace` from the mapping of its file: lists become tuples, settings get their own type.

    Raises `BadInput` with every problem found.
    """
    fields, problems = _validated(SpaceFile, data, where)
    found = [*_list_problems(fields), *_order_problems(fields), *_operation_problems(fields), *_source_problems(fields)]
    found += choice_problems(fields.get("training", {}), MOST_VALUES)
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
    chosen = fields["training"]
    fields["training"] = {name: tuple(typed(name, one) for one in chosen[name]) for name in GENES if name in chosen}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def read_encoder_file(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of an `EncoderSpace` from the mapping of its file. Raises `BadInput` with every problem found."""
    foreign = [key for key in SpaceFile.model_fields if key in data and key not in EncoderFile.model_fields]
    fields, problems = _validated(EncoderFile, {key: data[key] for key in data if key not in foreign}, where)
    if foreign:
        expected, got = "no keys of a space of graphs beside it", ", ".join(foreign)
        problems.append(Problem(where, "encoder", expected, got, "Remove either the section or those keys."))
    found = _encoder_problems(fields["encoder"]) if "encoder" in fields else ()
    problems += [Problem(where, key, expected, got, fix) for key, expected, got, fix in found]
    if problems:
        raise BadInput(problems)
    lists = {name: _typed(rule, fields["encoder"][name]) for name, rule in ENCODER_VALUES.items()}
    activations = lists.pop("activation")
    return {"name": fields["name"], "vocabulary": fields["vocabulary"], "activations": activations, **lists}


_Found = tuple[str, str, str, str]  # key, expected, got, fix


def _validated(model: type[BaseModel], data: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[Problem]]:
    """The well-formed fields, and the problems of the others, which are checked no further."""
    try:
        return model.model_validate(data).model_dump(), []
    except ValidationError as error:
        faulty = {str(item["loc"][0]) for item in error.errors()}
        problems = [_with_fix(problem, model) for problem in problems_of(error, where, model)]
        return {name: data[name] for name in model.model_fields if name in data and name not in faulty}, problems


def _typed(rule: SettingRule, values: Iterable[Setting]) -> tuple[Setting, ...]:
    return tuple(rule.kind(value) for value in values)


def _list_problems(fields: Mapping[str, Any]) -> Iterator[_Found]:
    for key, known in (("merges", MERGES), ("poolings", POOLINGS)):
        for value in fields.get(key, ()):
            if value not in known:
                yield key, f"only {', '.join(known)}", repr(value), nearest(str(value), known)
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
            yield key, f"an operation: {', '.join(OPERATIONS)}", repr(op), nearest(str(op), OPERATIONS)
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
            yield key, expected, repr(name), nearest(str(name), rules)
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
            yield f"source.{name}", expected, repr(name), nearest(str(name), SOURCE_SETTINGS)


def _encoder_problems(lists: Mapping[str, Any]) -> Iterator[_Found]:
    for name, rule in ENCODER_VALUES.items():
        if name not in lists:
            yield f"encoder.{name}", f"a list, each {rule.expected}", "nothing", ""
    problems: list[_Found] = []
    for name, values in lists.items():
        if name in ENCODER_VALUES:
            problems += _value_problems(f"encoder.{name}", values, ENCODER_VALUES[name])
        else:
            expected = f"only {', '.join(ENCODER_VALUES)}"
            problems.append((f"encoder.{name}", expected, repr(name), nearest(str(name), ENCODER_VALUES)))
    yield from problems
    if not problems and {"heads", "hidden", "ffn"} <= set(lists):
        yield from _size_problems(lists)


def _size_problems(lists: Mapping[str, Any]) -> Iterator[_Found]:
    """Values that suit no value of the other lists: no encoder could use them."""
    all_hidden, told = lists["hidden"], ", ".join(map(str, lists["hidden"]))
    for heads in lists["heads"]:
        if all(hidden % heads for hidden in all_hidden):
            yield "encoder.heads", f"a divisor of some hidden size ({told})", str(heads), ""
    for ffn in lists["ffn"]:
        if not any(RATIO.accepts(ffn / hidden) for hidden in all_hidden):
            yield "encoder.ffn", f"{MIN_RATIO} to {MAX_RATIO} times some hidden size ({told})", str(ffn), ""
    for hidden in all_hidden:
        divided = any(hidden % heads == 0 for heads in lists["heads"])
        if not (divided and any(RATIO.accepts(ffn / hidden) for ffn in lists["ffn"])):
            yield "encoder.hidden", "hidden sizes that suit some heads and ffn", str(hidden), ""


def _value_problems(key: str, values: Any, rule: SettingRule) -> Iterator[_Found]:
    if not isinstance(values, list) or not values:
        yield key, f"a list, each {rule.expected}", repr(values), ""
        return
    if len(values) > MOST_VALUES:
        yield key, f"at most {MOST_VALUES} values", str(len(values)), ""
        return
    refused = [value for value in values if not rule.accepts(value)]
    for value in refused:
        yield key, rule.expected, repr(value), ""
    if not refused and (repeated := _repeated(values)):
        yield key, "each value once", f"{repeated[0]!r} twice", ""


def _repeated(values: list[Any]) -> list[Any]:
    return [value for index, value in enumerate(values) if value in values[:index]]


def _with_fix(problem: Problem, model: type[BaseModel]) -> Problem:
    """A key that the model does not have may mean `encoder`, which makes the file one of another model."""
    if problem.fix or not problem.expected.startswith("a key of this file"):
        return problem
    return replace(problem, fix=nearest(problem.key, [*model.model_fields, "encoder"]))
