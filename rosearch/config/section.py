"""The base of every section of an experiment: a strict model, rules between keys, keys that moved, its problems."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic.json_schema import GenerateJsonSchema, SkipJsonSchema
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from rosearch.errors import Problem, nearest, shown

if TYPE_CHECKING:
    from rosearch.config.keys import Key

Moved = SkipJsonSchema[None]  # of a key of older files: no schema and no page names it
Share = Annotated[float, Field(ge=0, le=1)]


def broken_rule(key: str, expected: str, got: object, *others: str) -> PydanticCustomError:
    """The error for a broken rule of a section; `problems_of` turns it into a `Problem` of `key`.

    `others` are the further keys of the section that the rule reads.
    """
    context = {"key": key, "expected": expected, "got": str(got), "others": others}
    return PydanticCustomError("rule", "{expected}", context)


def keys_read(item: ErrorDetails) -> list[str]:
    """The dotted keys that a rule reads, of one of a model's errors; of any other error, the key that is wrong."""
    context, section = item.get("ctx", {}), ".".join(map(str, item["loc"]))
    return [".".join(filter(None, (section, key))) for key in (context.get("key", ""), *context.get("others", ()))]


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise broken_rule("", "auto, cpu, cuda or cuda:N", repr(name))
    return name


Device = Annotated[str, AfterValidator(_device)]


def unit(name: str) -> JsonDict:
    """The unit of a key, for its `Field(json_schema_extra=...)`.

    Every key has its description, unit and default in its field: `rosearch explain`, docs/reference/experiment.md and
    the schema for editors are made from them. A section has its docstring.
    """
    return {"unit": name}


def moved(to: str) -> BeforeValidator:
    """A validator for a key of older files: using it is an error that names the new key."""

    def refuse(value: object) -> None:
        raise broken_rule("", f"{to} in its place", value)

    return BeforeValidator(refuse)


class Section(BaseModel):
    """A strict and frozen model: a misspelt key is an error, and so is true or false for a number."""

    # An experiment's validator is built once, for all its sections, and not for each of them as well: a default is
    # made by `model_construct`, which needs none.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @field_validator("*", mode="before")
    @classmethod
    def _number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes true, yes and on for 1."""
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        given = value if isinstance(value, list) else [value]
        wrong = [one for one in given if isinstance(one, bool)]
        if wrong and kinds & {int, float} and not kinds & {bool, str}:
            raise broken_rule("", "a number", str(wrong[0]).lower())
        return value

    def _rules(self) -> Iterator[PydanticCustomError]:
        """The rules between its keys that a section breaks."""
        return iter(())

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Pydantic takes one error of a validator, or those of another model: here, all rules that are broken."""
        if broken := [InitErrorDetails(type=rule, loc=(), input=None) for rule in self._rules()]:
            raise ValidationError.from_exception_data(type(self).__name__, broken)
        return self


def _kinds(annotation: Any) -> set[Any]:
    """The types that an annotation names, at any depth."""
    return {annotation, *(kind for part in get_args(annotation) for kind in _kinds(part))}


class _WithoutDefaults(GenerateJsonSchema):
    """Pydantic would build a serialiser for each of some 200 defaults, and a problem names none of them."""

    def encode_default(self, dft: Any) -> Any:
        return None


def problems_of(error: ValidationError, where: str, model: type[BaseModel]) -> list[Problem]:
    """The errors of a model in plain words: dotted key, what the key takes, what was got, what may be meant."""
    from rosearch.config.keys import read_keys

    known = read_keys(model.model_json_schema(schema_generator=_WithoutDefaults))
    return [_problem(item, where, known) for item in error.errors(include_url=False)]


def _problem(item: ErrorDetails, where: str, known: Key) -> Problem:
    key, given = ".".join(map(str, item["loc"])), item["input"]
    if item["type"] == "extra_forbidden":
        return _unknown_key(key, where, known)
    if item["type"] == "rule":
        return Problem(where, keys_read(item)[0], item["ctx"]["expected"], item["ctx"]["got"])
    named = ".".join(part for part in map(str, item["loc"]) if not part.isdigit())
    found = known.at(named)
    listed = found is not None and isinstance(item["loc"][-1], int)
    words = "another value" if found is None else found.each if listed else found.type
    if found is not None and found.keys and not listed:
        keys = f"a section ({', '.join(below.name.rpartition('.')[2] for below in found.keys)})"
        words = words.replace("a section", keys, 1)
    accepted = map(str, found.accepted) if found is not None and isinstance(given, str) else ()
    fix = nearest(given, accepted) if isinstance(given, str) else ""
    if words.startswith("a text") and isinstance(given, bool | int | float):
        fix = "Put it in quotes."
    elif words.startswith("a list") and isinstance(given, str | int | float):
        fix = fix or f"Put it in brackets: [{given}]."
    return Problem(where, key, words, in_words(given) if item["type"] != "missing" else "nothing", fix)


def _unknown_key(key: str, where: str, known: Key) -> Problem:
    """It names the keys of its section, and one that may be meant: in that section or, at a wrong depth, elsewhere."""
    from rosearch.config.keys import suggestion

    parent = re.sub(r"\.\d+(?=\.|$)", "", key.rpartition(".")[0])
    section = known if not parent else known.at(parent)
    keys = [one.name.rpartition(".")[2] for one in (section.keys if section else ())]
    fix = suggestion(f"{parent}.{key.rpartition('.')[2]}".strip("."), [one.name for one in known.walk() if one.name])
    place = f"a key of {parent}" if parent else "a key of this file"
    return Problem(where, key, f"{place} ({', '.join(keys)})", repr(key.rpartition(".")[2]), fix)


def in_words(value: object) -> str:
    """A value of a file as a person would say it: nothing, true, a section of its keys, or as it is written."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return f"a section ({', '.join(map(str, value))})" if value else "an empty section"
    return shown(value, 300)
