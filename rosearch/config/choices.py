"""Keys that take one of some names, or something of the user's own: weights by label, a `module:function`.

Their JSON schema says `also` for what is no name; `config.keys` reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue

from rosearch.config.section import broken_rule, in_words

_WEIGHTS = ("none", "balanced")
NEED_A_TEACHER = ("hidden_states", "mate_kd")  # methods that read more than a teacher's outputs for the training rows
WORD_SOURCES = ("characters", "synonyms", "wordnet", "refill")  # they give text, for which the teacher's answer holds
_SOURCES = (*WORD_SOURCES, "other_words", "embeddings", "hull")


def _schema(names: Sequence[str], other: JsonSchemaValue, also: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string", "enum": list(names)}, other], "also": also})


def _read_weights(value: Any) -> Any:
    """A name, or labels as text with weights as floats. Raises `ValueError` for anything else."""
    if isinstance(value, str) and value in _WEIGHTS:
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError("neither a name nor weights")
    for label, weight in value.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not isfinite(weight) or weight <= 0:
            raise broken_rule(str(label), "a weight above 0", in_words(weight))
    return {str(label): float(weight) for label, weight in value.items()}


def _read_source(value: Any) -> Any:
    """A name of ours, or one with a colon: whoever opens the function looks whether it is there."""
    if isinstance(value, str) and (value in _SOURCES or is_own(value)):
        return value
    raise ValueError("no source")


def is_own(name: str) -> bool:
    """True where a source, or an attack, is meant to be a function of the user's own."""
    return ":" in name


ClassWeights = Annotated[
    str | dict[str, float],
    BeforeValidator(_read_weights),
    _schema(
        _WEIGHTS,
        {"type": "object", "minProperties": 1, "additionalProperties": {"type": "number", "exclusiveMinimum": 0}},
        "weights above 0 by label, as in {urgent: 5}",
    ),
]

SourceName = Annotated[
    str,
    BeforeValidator(_read_source),
    _schema(_SOURCES, {"type": "string", "pattern": ".:."}, "module:function, a source of yours"),
]
