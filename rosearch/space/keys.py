"""The keys of a search space's YAML file: their rules, and what pages and editors say of them.

An operation or a setting has its description in `rules.MEANINGS`, any other key in its field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from rosearch.config.section import unit
from rosearch.space.genes import GENES, schema_of
from rosearch.space.genotype import MAX_NODES, SOURCE_DEFAULTS
from rosearch.space.rules import (
    ACTIVATION,
    HEADS,
    MAX_INPUTS,
    MAX_RATIO,
    MEANINGS,
    MERGES,
    MIN_RATIO,
    OPERATIONS,
    POOLINGS,
    SOURCE_SETTINGS,
    WIDTH_STEP,
    SettingRule,
)

MOST_VALUES = 256  # of a list: all pairs of some lists are tried

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Width = Annotated[int, Field(ge=WIDTH_STEP, multiple_of=WIDTH_STEP)]
Rank = Annotated[int, Field(ge=1)]


def _names(known: Iterable[str]) -> JsonDict:
    """A list of known names, each once."""
    return {"items": {"enum": [*known]}, "uniqueItems": True}


def _settings(rules: Mapping[str, SettingRule], required: bool, **meanings: str) -> JsonDict:
    """A section with a list of values for each setting: all required, or each with the default of the source."""
    properties: JsonDict = {}
    for name, rule in rules.items():
        values: JsonDict = {"type": "array", "minItems": 1, "maxItems": MOST_VALUES, "uniqueItems": True}
        default: JsonDict = {} if required else {"default": [SOURCE_DEFAULTS[name]]}
        properties[name] = {**values, **default, "items": rule.schema, "description": meanings[name]}
    section: JsonDict = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**section, "required": [*rules]} if required else section


def _training() -> JsonDict:
    """A list of values for each setting of distillation that a search may choose; none is required."""
    properties: JsonDict = {}
    for name in GENES:
        item = schema_of(name)
        values: JsonDict = {"type": "array", "minItems": 1, "maxItems": MOST_VALUES}
        properties[name] = {**values, "description": item.pop("description"), "items": item}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _operations() -> JsonDict:
    """Each operation with all of its settings; one without settings may be empty."""
    properties: JsonDict = {}
    for op, rules in OPERATIONS.items():
        section = _settings(rules, True, **{name: MEANINGS[f"{op}.{name}"] for name in rules})
        made: JsonDict = section if rules else {"anyOf": [section, {"type": "null"}]}
        properties[op] = {**made, "description": MEANINGS[op]}
    return {"properties": properties, "additionalProperties": False}


_NAME = "Names the space in records. Letters, digits, dots, hyphens, underscores."
_VOCABULARY = "Words of the teacher's tokenizer, to count parameters with; BERT's, unless told otherwise."


class SpaceFile(BaseModel):
    """A search space whose students are graphs of operators. Every list is a set of choices."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name = Field(description=_NAME)
    min_nodes: int = Field(
        ge=1,
        le=MAX_NODES,
        description="Least nodes that do something: an identity that passes on one input does not count.",
        json_schema_extra=unit("nodes"),
    )
    max_nodes: int = Field(ge=1, le=MAX_NODES, description="Most nodes, all counted.", json_schema_extra=unit("nodes"))
    max_inputs: int = Field(ge=1, le=MAX_INPUTS, description="Most inputs of a node.", json_schema_extra=unit("inputs"))
    merges: list[str] = Field(
        min_length=1,
        max_length=MOST_VALUES,
        description="How a node of several inputs merges them: their mean (add), a learned share of each per channel "
        "(gate), or concatenated and projected back to the width (concat).",
        json_schema_extra=_names(MERGES),
    )
    widths: list[Width] = Field(
        min_length=1,
        max_length=MOST_VALUES,
        description="Features per token, the same at every node.",
        json_schema_extra={**unit("features"), "uniqueItems": True},
    )
    ranks: list[Rank] = Field(
        min_length=1,
        max_length=MOST_VALUES,
        description="Rank of the embedding tables, which is mapped to the width and never above it.",
        json_schema_extra={**unit("features"), "uniqueItems": True},
    )
    poolings: list[str] = Field(
        min_length=1,
        max_length=MOST_VALUES,
        description="How the tokens become one vector for the classifier: the first, their mean, a learned mean "
        "(attention), or their mean less what lies along their first principal component (mean_less_pc1).",
        json_schema_extra=_names(POOLINGS),
    )
    operations: dict[str, Any] = Field(
        min_length=1,
        description="What a node may do, and the values of each setting. Each has its own LayerNorm and residual.",
        json_schema_extra=_operations(),
    )
    source: dict[str, Any] = Field(
        default_factory=dict,
        description="How the source (node 0) reads a text.",
        json_schema_extra=_settings(
            SOURCE_SETTINGS, False, **{name: MEANINGS[f"source.{name}"] for name in SOURCE_SETTINGS}
        ),
    )
    training: dict[str, Any] = Field(
        default_factory=dict,
        description="Settings of the experiment's `distillation` that are chosen for each candidate, in the place of "
        "the experiment's, which hold where there is no list. They change nothing of a student's cost.",
        json_schema_extra=_training(),
    )
    vocabulary: int = Field(30522, ge=1, description=_VOCABULARY, json_schema_extra=unit("words"))
    min_parameters: int = Field(
        ge=0, description="Least parameters, embeddings included.", json_schema_extra=unit("parameters")
    )
    max_parameters: int = Field(
        ge=1, description="Most parameters, embeddings included.", json_schema_extra=unit("parameters")
    )


def _is_layers(value: object) -> bool:
    return isinstance(value, int) and HEADS.accepts(value) and value <= MAX_NODES // 2


def _is_width(value: object) -> bool:
    return isinstance(value, int) and HEADS.accepts(value) and value % WIDTH_STEP == 0


_SIZE = SettingRule(int, "a whole number of at least 1", HEADS.accepts, HEADS.schema)

# The choices of a KD-NAS encoder (arXiv 2303.09639); the limits are ours.
ENCODER_VALUES: Mapping[str, SettingRule] = {
    "layers": SettingRule(
        int,
        f"a whole number from 1 to {MAX_NODES // 2}",
        _is_layers,
        {"type": "integer", "minimum": 1, "maximum": MAX_NODES // 2},
    ),
    "heads": _SIZE,
    "hidden": SettingRule(
        int,
        f"a positive multiple of {WIDTH_STEP}",
        _is_width,
        {"type": "integer", "minimum": WIDTH_STEP, "multipleOf": WIDTH_STEP},
    ),
    "ffn": _SIZE,
    "activation": ACTIVATION,
}
_MEANINGS = {
    "layers": "Layers, each self-attention and a feed-forward layer.",
    "heads": "Heads of attention; used where they divide hidden.",
    "hidden": "Features per token.",
    "ffn": f"Features inside a feed-forward layer; used from {MIN_RATIO} to {MAX_RATIO} times hidden.",
    "activation": "Inside the feed-forward layers.",
}


class EncoderFile(BaseModel):
    """A search space whose students are Transformer encoders of like layers: `encoder` in place of a graph's keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name = Field(description=_NAME)
    encoder: dict[str, Any] = Field(
        description="In place of a graph's keys: the choices of encoders of like layers. All five are required.",
        json_schema_extra=_settings(ENCODER_VALUES, True, **_MEANINGS),
    )
    vocabulary: int = Field(30522, ge=1, description=_VOCABULARY, json_schema_extra=unit("words"))


def space_schema() -> JsonDict:
    """The JSON schema of a search space's file of either kind, which the section `encoder` tells apart."""
    kinds = (EncoderFile.model_json_schema(), SpaceFile.model_json_schema())
    encoder, graph = ({key: value for key, value in kind.items() if key != "title"} for kind in kinds)
    return {"title": "A search space of rosearch", "if": {"required": ["encoder"]}, "then": encoder, "else": graph}
