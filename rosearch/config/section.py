"""The base of every section of an experiment: a strict model, rules between keys, keys that moved, its problems."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from rosearch.errors import Problem, shown

Moved = SkipJsonSchema[None]  # of a key of older files: no schema and no page names it
Share = Annotated[float, Field(ge=0, le=1)]


def broken_rule(key: str, expected: str, got: object) -> PydanticCustomError:
    """The error for a broken rule between keys; `problems_of` turns it into a `Problem` of `key`."""
    return PydanticCustomError("rule", "{expected}", {"key": key, "expected": expected, "got": str(got)})


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

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes true, yes and on for 1."""
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        given = value if isinstance(value, list) else [value]
        if kinds & {int, float} and bool not in kinds and (wrong := [one for one in given if isinstance(one, bool)]):
            raise broken_rule("", "a number", str(wrong[0]).lower())
        return value


def _kinds(annotation: Any) -> set[Any]:
    """The types that an annotation names, at any depth."""
    return {annotation, *(kind for part in get_args(annotation) for kind in _kinds(part))}


def problems_of(error: ValidationError, where: str) -> list[Problem]:
    """Pydantic's errors as problems: dotted key, expected, got."""
    problems = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"])
        expected, got = (
            item["msg"].removeprefix("Value error, ").removeprefix("Input should be "),
            shown(item["input"], 300),
        )
        match item["type"]:
            case "extra_forbidden":
                expected, got = "only known keys", f"unknown key {key.rsplit('.', 1)[-1]!r}"
            case "missing":
                expected, got = "a value", "nothing"
            case "rule":
                key = ".".join(filter(None, (key, item["ctx"]["key"])))
                got = item["ctx"]["got"]
        problems.append(Problem(where, key, expected, got))
    return problems
