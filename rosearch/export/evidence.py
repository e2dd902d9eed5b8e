"""The evidence of an export: what it answered when it was written, in `evidence.json` beside it.

::

    text = gather_evidence(folder, facts, card)  # with the model in the folder, by torch
    evidence = read_evidence(folder)
    evidence.texts, evidence.logits  # a few inputs, and the logits of each

`rosearch verify` compares a folder with it. It also holds the temperature by which `rosearch predict` divides logits.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosearch.errors import BadInput
from rosearch.export.card_facts import CardFacts
from rosearch.export.destination import EVIDENCE
from rosearch.export.facts import ENCODED, read_facts, read_json
from rosearch.export.gates import without_formats
from rosearch.export.runners import open_runner
from rosearch.files import damaged

_FORMAT = 1
# Short and long, with typos, capitals, other scripts and marks. What they mean has no part in it.
_TEXTS = (
    "a fine film",
    "Terribly slow and predictable, saved by nothing but its ending.",
    "wonderfull acting, teh best scrpit of hte yaer",
    "Größe zählt: naïve café, 東京の夏 and 3.14 % (\N{SNOWMAN})!",
    "no",
    "long and then longer than all that is read " * 60,
)


@dataclass(frozen=True)
class Evidence:
    """The record of an export."""

    texts: tuple[tuple[str, ...], ...]  # rows of one text or two; none of an encoder
    logits: tuple[tuple[float, ...], ...]  # of each row, by torch
    encoding: str | None  # digest of the words of a tokenizer that encodes them
    figures: tuple[str, ...]  # lines of the tables of the model card
    card: str  # digest of the model card as it was written


def gather_evidence(folder: Path, facts: CardFacts, card: str) -> str:
    """The JSON text of the evidence of a folder that holds all but this. Its classifier is asked by torch."""
    rows: list[tuple[str, ...]] = []
    logits: list[list[float]] = []
    if facts.problem != "encoder":
        rows = sample_rows(facts.texts)
        logits = open_runner(folder, "hf", read_facts(folder)).logits(rows).tolist()
    calibration = facts.measurements.quality.calibration
    found = {
        "format": _FORMAT,
        "texts": facts.texts,
        "temperature": None if calibration is None else calibration.temperature,
        "encoding": encoding_digest(folder),
        "card": _digest(card.encode()),
        "figures": [line for line in card.splitlines() if line.startswith("|")],
        "examples": [{"texts": row, "logits": answer} for row, answer in zip(rows, logits, strict=True)],
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def sample_rows(texts: int) -> list[tuple[str, ...]]:
    """Rows of one text or two that any classifier can be asked."""
    return [(text,) if texts == 1 else (text, _TEXTS[place - 1]) for place, text in enumerate(_TEXTS)]


def read_evidence(folder: Path) -> Evidence | None:
    """The evidence in a folder; None in an export of older versions. Raises `BadInput` where it is damaged."""
    path = folder / EVIDENCE
    if not path.is_file():
        return None
    found = read_json(path)
    try:
        return Evidence(
            texts=tuple(tuple(map(str, one["texts"])) for one in found["examples"]),
            logits=tuple(tuple(map(float, one["logits"])) for one in found["examples"]),
            encoding=found["encoding"],
            figures=tuple(map(str, found["figures"])),
            card=str(found["card"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(damaged(path, f"a file without its {error}")) from None


def encoding_digest(folder: Path) -> str | None:
    """32 hex digits of the words that the tokenizer in a folder encodes; None where it encodes none."""
    if not (folder / ENCODED).is_file():
        return None
    found: Any = read_json(folder / ENCODED)
    return _digest(json.dumps(found.get("words", found), sort_keys=True).encode())


def card_digest(folder: Path) -> str:
    """The digest of the model card in a folder, without its formats; "" where there is none."""
    path = folder / "README.md"
    return _digest(without_formats(path.read_text(encoding="utf-8")).encode()) if path.is_file() else ""


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
