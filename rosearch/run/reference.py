"""Every key of an experiment and of the search space that it names: as JSON schemas, and in plain words.

>>> from rosearch.run.reference import all_keys
>>> all_keys().find("evolution.population")[0].default
8

`rosearch explain`, docs/reference/ and the schemas for editors are made from these.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rosearch.config.experiment import Experiment
from rosearch.config.keys import Key, read_keys
from rosearch.space.keys import EncoderFile, SpaceFile, space_schema
from rosearch.space.known import KNOWN

SPACE = "search_space"  # the key that names a space; the keys of a space stand below it
_DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of an `experiment` or a `search_space`, for editors and validators.

    It knows keys, types, bounds and names that never change; `rosearch check` knows the rest.
    """
    if kind == SPACE:
        return {**_DRAFT, **space_schema()}
    schema = _experiment_schema()
    teacher = schema["properties"]["teacher"]
    schema["properties"]["teacher"] = {"anyOf": [teacher, {"type": "string"}]}  # `teacher: ./my-bert`
    return {**_DRAFT, **schema, "title": "An experiment of rosearch"}


def _experiment_schema() -> dict[str, Any]:
    """The schema with the names of architectures, without short forms."""
    schema = Experiment.model_json_schema()
    named = {"type": "string", "examples": [*KNOWN]}
    schema["properties"]["baselines"]["items"] = named
    schema["$defs"]["EvolutionConfig"]["properties"]["warm_start"]["items"] = named
    return schema


def all_keys() -> Key:
    """The experiment as a key without a name; its key `search_space` holds those of a space, graphs' and encoders'."""
    experiment = read_keys(_experiment_schema())
    space = space_keys(SPACE)
    keys = (replace(key, keys=space.keys) if key.name == SPACE else key for key in experiment.keys)
    return replace(experiment, keys=tuple(keys))


def space_keys(name: str = "") -> Key:
    """The file of a search space as a key of a name: the keys of a space of graphs, then `encoder`."""
    graph = read_keys(SpaceFile.model_json_schema(), name)
    encoder = next(key for key in read_keys(EncoderFile.model_json_schema(), name).keys if key.name.endswith("encoder"))
    return replace(graph, keys=(*graph.keys, replace(encoder, required=False)))
