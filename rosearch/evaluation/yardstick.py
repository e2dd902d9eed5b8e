"""A teacher's figures, kept below the cache: the next run with the same yardstick does not measure it again.

>>> key = yardstick_key([model_fingerprint(teacher), tokens.key], suite, resources, device)
>>> facts = kept_facts(cache, key, lambda: measured(teacher))

A key names all that the figures follow from: what the caller gives (weights, rows, labels, seed), the attacks with the
files behind them, this package's code, and the machine, as another processor rounds in its own way.
Latency is no part of it: each run times its teacher anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError

from rosearch.evaluation.attacks.prepared import attack_fingerprint
from rosearch.evaluation.attacks.recipes import resolve
from rosearch.evaluation.robustness import Suite
from rosearch.files import content, content_key, file_hash, made_once
from rosearch.measurements import TeacherFacts
from rosearch.models.device import machine
from rosearch.resources.resources import Resources

_FACTS: TypeAdapter[TeacherFacts] = TypeAdapter(TeacherFacts)
_ENCODER = "sentence_encoder"  # the resource behind `Suite.similarity`


def yardstick_key(parts: Iterable[str], suite: Suite | None, resources: Resources, device: torch.device) -> str:
    """32 hex digits of all that a teacher's figures follow from. A regression has no suite.

    Raises `BadInput` and `MissingResource` for attacks that are not there.
    """
    attacks = [] if suite is None else sorted({*suite.attacks, *suite.single_swaps})
    recipes = [resolve(name, resources) for name in attacks]
    behind = [f"{recipe.identity}\x1f{attack_fingerprint(recipe, resources)}" for recipe in recipes]
    if suite is not None and suite.similarity and resources.has(_ENCODER):
        behind.append(resources.fingerprint([_ENCODER]))
    settings = "" if suite is None else json.dumps(asdict(suite), sort_keys=True)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    where = (machine(), name, f"transformers {version('transformers')}", _code())
    return content_key([*parts, settings, *behind, *where], "\x1d")


def kept_facts(cache: Path, key: str, measure: Callable[[], TeacherFacts]) -> TeacherFacts:
    """The figures under a key, measured once and kept in `cache/yardsticks`; without a latency.

    A damaged file is made again, with a line in the log.
    """

    def make(draft: Path) -> None:
        facts = replace(measure(), latency_ms=None)
        draft.write_text(json.dumps(asdict(facts), allow_nan=False), encoding="utf-8")

    return made_once(cache / "yardsticks" / f"{key}.json", _read, make)


def _read(path: Path) -> TeacherFacts | None:
    try:
        return _FACTS.validate_json(content(path))
    except (OSError, ValidationError):
        return None


@lru_cache(maxsize=1)
def _code() -> str:
    """All code of the package: figures of another version of it are not taken for those of this one."""
    folder = Path(__file__).parents[1]
    return content_key(file_hash(path) for path in sorted(folder.rglob("*.py")))
