"""A saved student, its tokenizer and its code as one Hugging Face folder that needs no rosearch.

`AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)` loads it: `auto_map` in
config.json names the classes, whose files lie beside it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from rosearch.errors import BadInput, RunError, one_line
from rosearch.export.card import render_card
from rosearch.export.card_facts import CardFacts
from rosearch.export.destination import CODE, EVIDENCE, PICTURE, WEIGHTS, check_destination, in_one_step
from rosearch.export.evidence import gather_evidence
from rosearch.files import damaged
from rosearch.models.places import require_undamaged
from rosearch.models.saved import load_config, load_tokenizer, save_model
from rosearch.student.tokenization_rosearch import CODE_FILE, ENCODING_FILE

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MODEL_TYPE = "rosearch_student"
ARCHITECTURE = "StudentForSequenceClassification"
ENCODER = "StudentModel"  # without a head
AUTO_MAP = {
    "AutoConfig": "configuration_rosearch.StudentConfig",
    "AutoModelForSequenceClassification": f"modeling_rosearch.{ARCHITECTURE}",
}


def export_student(
    student: Path,
    tokenizer: Path,
    destination: Path,
    facts: CardFacts,
    *,
    overwrite: bool = False,
    more: Mapping[str, str | bytes] = MappingProxyType({}),
) -> Path:
    """Writes the bundle of a saved student and a saved tokenizer (folders) to `destination`; returns its path.

    `more` are further files by name; the card shows one called `PICTURE`. The bundle is written whole or not at all.
    With `overwrite` it takes the place of an earlier export, and of nothing else. Raises `RunError` where the
    destination exists, where student or tokenizer are absent or do not fit each other or the facts, and where nothing
    can be written; `BadInput` where either is damaged.
    """
    destination = destination.resolve()
    check_destination(destination, overwrite)
    for folder in (student, tokenizer):
        require_undamaged(folder)
    config = _read_config(student, facts)
    with in_one_step(destination) as half:
        shutil.copyfile(student / WEIGHTS, half / WEIGHTS)  # without the mode: safetensors writes 0600
        _write_config(config, half, facts)
        _write_tokenizer(tokenizer, half, facts.max_length, config["vocab_size"], student)
        for name in CODE:
            (half / name).write_bytes(files("rosearch.student").joinpath(name).read_bytes())
        _write_texts(half, destination.name, (*CODE, *_tokenizer_code(half)), facts, more)
    return destination


def export_model(
    model: PreTrainedModel,
    tokenizer: Any,
    destination: Path,
    facts: CardFacts,
    *,
    overwrite: bool = False,
    more: Mapping[str, str | bytes] = MappingProxyType({}),
) -> Path:
    """Writes a model of transformers' own as `export_student` does one of ours; no code goes with it."""
    destination = destination.resolve()
    check_destination(destination, overwrite)
    tokenizer.model_max_length = facts.max_length
    with in_one_step(destination) as half:
        save_model(model, tokenizer, half)
        _write_texts(half, destination.name, _tokenizer_code(half), facts, more)
    return destination


def _write_texts(
    folder: Path, name: str, code: tuple[str, ...], facts: CardFacts, more: Mapping[str, str | bytes]
) -> None:
    """Writes the card, `more`, and the evidence of all that lies there."""
    card = render_card(facts, name, code, PICTURE if PICTURE in more else "")
    for one, content in {"README.md": card, **more, EVIDENCE: gather_evidence(folder, facts, card)}.items():
        (folder / one).write_bytes(content.encode() if isinstance(content, str) else content)


def _read_config(student: Path, facts: CardFacts) -> dict[str, Any]:
    path = student / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        config = None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from None
    if not isinstance(config, dict) or not (student / WEIGHTS).is_file():
        raise RunError(f"{student}: expected the config.json and {WEIGHTS} of a saved student, got neither or only one")
    if config.get("model_type") != MODEL_TYPE:
        raise RunError(f"{path}: expected model_type {MODEL_TYPE}, got {config.get('model_type')}")
    _require_weights(student / WEIGHTS)
    names = config.get("id2label", {})
    labels = tuple(names[index] for index in sorted(names, key=int))
    if facts.problem == "classification" and labels != facts.labels:
        raise RunError(f"{path}: expected the labels {', '.join(facts.labels)}, got {', '.join(labels) or 'none'}")
    return config


def _require_weights(path: Path) -> None:
    """Raises `BadInput` for a file that is cut off or holds no tensors; those of earlier versions have no digests."""
    try:
        with safe_open(path, "pt"):
            pass
    except (OSError, SafetensorError) as error:
        raise BadInput(damaged(path, one_line(error))) from None


def _write_config(config: dict[str, Any], folder: Path, facts: CardFacts) -> None:
    """Writes config.json. An encoder may also be loaded as a classifier, with a fresh head."""
    encoder = facts.problem == "encoder"
    autos = {**AUTO_MAP, "AutoModel": f"modeling_rosearch.{ENCODER}"} if encoder else AUTO_MAP
    complete = config | {"architectures": [ENCODER if encoder else ARCHITECTURE], "auto_map": autos}
    text = json.dumps(complete, indent=2, sort_keys=True) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def _write_tokenizer(source: Path, folder: Path, max_length: int, vocabulary: int, student: Path) -> None:
    """Writes the tokenizer as its own class saves it: other files there (a teacher's weights) stay behind."""
    if not source.is_dir():  # or transformers would look for it on the hub
        raise RunError(f"{source}: expected the folder of a saved tokenizer, got no folder")
    try:
        tokenizer = load_tokenizer(source, load_config(student))
    except BadInput as error:
        raise RunError(f"{source}: expected a saved tokenizer, got: {error.problems[0].got}") from None
    if len(tokenizer) > vocabulary:
        raise RunError(f"{source}: the student has {vocabulary} words, this tokenizer {len(tokenizer)}: not its own")
    tokenizer.model_max_length = max_length
    tokenizer.save_pretrained(folder)


def _tokenizer_code(folder: Path) -> tuple[str, ...]:
    """The code that a tokenizer with a robust encoding is saved with; none for others."""
    return (CODE_FILE,) if (folder / ENCODING_FILE).is_file() else ()
