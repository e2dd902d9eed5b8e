"""What every section of an experiment is made of: strict models, rules between keys, keys that moved."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

Share = Annotated[float, Field(ge=0, le=1)]


def broken_rule(key: str, expected: str, got: object) -> PydanticCustomError:
    """A rule between keys that does not hold; `experiment_file` turns it into a `Problem` of `key`."""
    return PydanticCustomError("rule", "{expected}", {"key": key, "expected": expected, "got": str(got)})


def moved(to: str) -> BeforeValidator:
    """For a key of older files: whoever still uses it is told the new one."""

    def refuse(value: object) -> None:
        raise broken_rule("", f"{to} in its place", value)

    return BeforeValidator(refuse)


class Section(BaseModel):
    """Strict and frozen: a misspelt key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
