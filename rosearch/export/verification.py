"""An exported folder held against what it was when it was written.

>>> for check in verify(Path("student")):
...     print(check.state, check.name, check.told)
ok files 14 files are as they were written
ok loading plain transformers loads it in a process without rosearch
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from tokenizers import Tokenizer

from rosearch.errors import BadInput, Problem, told_apart
from rosearch.export.destination import EVIDENCE
from rosearch.export.evidence import Evidence, card_digest, encoding_digest, read_evidence, sample_rows
from rosearch.export.facts import ENCODED, Facts, read_facts, read_json
from rosearch.export.fresh import ask_fresh_process, foreign_code
from rosearch.export.gates import gates_in, tells_of_int8, untold
from rosearch.export.runners import RUNNERS, open_runner, targets_in
from rosearch.files import DIGESTS, damaged, damages, stamp, stored_digests
from rosearch.models.engines import ENGINES, EXACT, onnx_facts
from rosearch.models.places import folder_fingerprint

State = Literal["ok", "failed", "unknown"]


@dataclass(frozen=True)
class Check:
    """One check: what was found, in words; of one that failed the problems."""

    name: str
    state: State
    told: str
    problems: tuple[Problem, ...] = ()


@dataclass
class _Export:
    """A folder under verification, and what was learnt of it so far."""

    folder: Path
    trust: bool
    evidence: Evidence | None = None
    facts: Facts | None = None  # None: an encoder, which answers nothing
    logits: np.ndarray[Any, Any] | None = None  # of `rows`, by torch
    rows: list[tuple[str, ...]] = field(default_factory=list)


def verify(folder: Path, *, trust_remote_code: bool = False) -> Iterator[Check]:
    """Every check of a folder, in turn. One that failed ends those that build on it.

    Code in the folder that is not rosearch's own is run with `trust_remote_code` alone. Raises `BadInput` for what is
    no exported folder.
    """
    if not any((folder / name).is_file() for name in ("config.json", DIGESTS)):
        got = "no config.json" if folder.is_dir() else "no folder"
        raise BadInput(Problem(str(folder), "", "an exported folder", got, "rosearch export writes one"))
    export = _Export(folder, trust_remote_code)
    for name, check in _CHECKS.items():
        found = _checked(name, check, export)
        yield found
        if name in _FIRST and found.state == "failed":
            return
    for target in targets_in(folder):
        if target != "hf":
            yield _checked(target, partial(_target, target=target), export)


def _checked(name: str, check: Callable[[_Export], str], export: _Export) -> Check:
    try:
        return Check(name, "ok", check(export))
    except _Unknown as reason:
        return Check(name, "unknown", str(reason))
    except BadInput as error:
        return Check(name, "failed", "; ".join(map(str, error.problems)), error.problems)


class _Unknown(Exception):  # noqa: N818
    """Why something cannot be checked."""


def _files(export: _Export) -> str:
    """Digests of the folder and of the formats inside it."""
    formats = {next(export.folder.glob(RUNNERS[target].pattern)).parent for target in targets_in(export.folder)}
    places = sorted({export.folder, *formats, *(path.parent for path in export.folder.rglob(DIGESTS))})
    guarded = [place for place in places if (place / DIGESTS).is_file()]
    if not guarded and not (export.folder / EVIDENCE).is_file():
        raise _Unknown("an export of an older version has no digests")
    problems = [damaged(place / DIGESTS, "no such file") for place in places if place not in guarded]
    problems += [problem for place in guarded for problem in (*damages(place), *_respelled(place / DIGESTS))]
    if problems:
        raise BadInput(problems)
    named = {place / name for place in guarded for name in stored_digests(place / DIGESTS, stamp(place / DIGESTS))}
    found = {path for path in export.folder.rglob("*") if path.is_file() and path.name not in ("README.md", DIGESTS)}
    others = sorted(path.relative_to(export.folder).as_posix() for path in found - named)
    told = f"; {len(others)} that it does not know: {', '.join(others[:5])}" if others else ""
    return f"{len(named)} files are as they were written{told}"


def _respelled(path: Path) -> Iterator[Problem]:
    """The problem of a file of digests that says the same in other bytes."""
    text = path.read_text(encoding="utf-8", errors="replace")
    with suppress(ValueError):
        if text != json.dumps(json.loads(text), indent=1) + "\n":
            yield damaged(path, "other bytes")


def _facts(export: _Export) -> str:
    """The evidence, and the facts of a classifier."""
    export.evidence = read_evidence(export.folder)
    architectures = read_json(export.folder / "config.json").get("architectures") or ()
    if any("SequenceClassification" in str(name) for name in architectures):
        export.facts = read_facts(export.folder)
        export.rows = list(export.evidence.texts) if export.evidence else sample_rows(1)
    if export.evidence is None:
        raise _Unknown("an export of an older version recorded no logits; export it again")
    return f"the logits of {len(export.evidence.texts)} inputs are recorded"


def _card(export: _Export) -> str:
    evidence, path = export.evidence, export.folder / "README.md"
    if not path.is_file():
        raise BadInput(Problem(str(path), "", "the model card", "no such file"))
    if tells_of_int8(export.folder) and "int8" not in targets_in(export.folder):
        expected, got = f"nothing on int8: {ENGINES['int8'].file} is not there", "a section on it"
        raise BadInput(Problem(str(path), "int8", expected, got, _rewritten(export.folder)))
    if evidence is None:
        raise _Unknown("no figures are recorded to compare the card with")
    there = set(path.read_text(encoding="utf-8", errors="replace").splitlines())
    if absent := [line for line in evidence.figures if line not in there]:
        got = f"{len(absent)} of {len(evidence.figures)} lines changed or gone"
        raise BadInput(Problem(str(path), "figures", f"the line {absent[0].strip()!r}", got, "Export it again"))
    edited = "" if evidence.card == card_digest(export.folder) else "; its text was edited since"
    return f"the card has all {len(evidence.figures)} lines of figures that are recorded{edited}"


def _encoding(export: _Export) -> str:
    folder, recorded = export.folder, export.evidence.encoding if export.evidence else None
    if (found := encoding_digest(folder)) != recorded and export.evidence:
        got = "none" if found is None else "other words" if recorded else "an encoding"
        expected = "the encoding that was recorded" if recorded else "no encoding"
        raise BadInput(Problem(str(folder / ENCODED), "", expected, got, "Export it again"))
    if found is None:
        return "it reads words as they are"
    try:
        Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception:  # of the library's own kind; it is meant to fail
        return "words are encoded, and no reader without its code takes the tokenizer for a plain one"
    expected, got = "a file that stock readers refuse", "a tokenizer that skips the encoding"
    raise BadInput(Problem(str(folder / "tokenizer.json"), "", expected, got, "Export it again"))


def _loading(export: _Export) -> str:
    code = foreign_code(export.folder)
    if code and not export.trust:
        raise _Unknown(f"{', '.join(code)}: not the code of this rosearch; read it, then give --trust-remote-code")
    trusted = export.trust or any(export.folder.glob("*.py"))
    found = ask_fresh_process(export.folder, export.rows, trusted=trusted)
    if export.facts is None:
        return "plain transformers loads it in a process without rosearch"
    export.logits = np.asarray(found)
    if export.evidence is None:
        return "plain transformers loads and asks it in a process without rosearch"
    apart = _apart(export.folder / "model.safetensors", export.logits, export.evidence.logits, "recorded")
    return f"plain transformers, in a process without rosearch, gives the recorded logits ({apart:.0e} apart)"


def _target(export: _Export, target: str) -> str:
    path = next(iter(export.folder.glob(RUNNERS[target].pattern)))
    if export.facts is None:
        raise _Unknown("an encoder answers nothing")
    if find_spec(RUNNERS[target].package) is None:
        raise _Unknown(f"it needs {RUNNERS[target].package}: {RUNNERS[target].install}")
    if export.logits is None and export.evidence is not None:
        export.logits = np.asarray(export.evidence.logits)
    if export.logits is None:
        raise _Unknown("there are no logits of torch to compare with")
    runner = open_runner(export.folder, target, export.facts)
    if path.suffix == ".onnx":
        _require_own(export.folder, path, export.facts)
    if target == "int8":
        return _as_measured(export, path)
    apart = _apart(path, runner.logits(export.rows), export.logits, "torch's", ENGINES[target].apart)
    return f"answers as torch does ({apart:.0e} apart)"


def _as_measured(export: _Export, path: Path) -> str:
    """The gates of a quantised file, which answers otherwise than torch."""
    gates = gates_in(export.folder)
    if gates is None:
        fix = f"rosearch export {export.folder} --target int8 --task ROWS"
        raise BadInput(Problem(str(path.with_suffix(".json")), "", "what it was measured by", "no such file", fix))
    card = export.folder / "README.md"
    if card.is_file() and (lines := untold(export.folder)):
        expected, got = f"the line {lines[0]!r}, as it was measured", f"{len(lines)} lines changed or gone"
        raise BadInput(Problem(str(card), "int8", expected, got, _rewritten(export.folder)))
    return str(gates)


def _rewritten(folder: Path) -> str:
    return f"rosearch export {folder} --target onnx writes this part of the card anew"


def _require_own(folder: Path, path: Path, facts: Facts) -> None:
    """Raises `BadInput` where the metadata of an ONNX file are not of the folder around it."""
    told = onnx_facts(path)
    wanted = {"labels": json.dumps(list(facts.labels)), "source": folder_fingerprint(folder)}
    for key, value in wanted.items():
        if key in told and told[key] != value:
            fix = f"rosearch export {folder} --target onnx"
            raise BadInput(Problem(str(path), key, f"{value} of the folder", told[key], fix))
    config = path.parents[1] / "config.json"  # of a format with a configuration of its own
    if config.parent != folder and config.is_file():
        named = read_json(config).get("id2label") or {}  # without it, every reader has the same names
        labels = tuple(str(named[place]) for place in sorted(named, key=int))
        if named and labels != facts.labels:
            fix = f"rosearch export {folder} --target {config.parent.name}"
            raise BadInput(Problem(str(config), "id2label", ", ".join(facts.labels), ", ".join(labels), fix))


def _apart(path: Path, got: np.ndarray[Any, Any], expected: ArrayLike, whose: str, most: float = EXACT) -> float:
    """The largest difference as a share of the largest logit. Raises `BadInput` where it is too large."""
    wanted = np.asarray(expected)
    if got.shape != wanted.shape:
        raise BadInput(Problem(str(path), "", f"logits of shape {wanted.shape}", str(got.shape)))
    apart = float(np.abs(got - wanted).max() / max(1.0, np.abs(wanted).max()))
    if not apart <= most:
        found, limit = told_apart(apart, most, 2, "g")
        raise BadInput(Problem(str(path), "logits", f"{whose}, within {limit} of the largest", f"{found} apart"))
    return apart


_CHECKS: dict[str, Callable[[_Export], str]] = {
    "files": _files,
    "evidence": _facts,
    "card": _card,
    "encoding": _encoding,
    "loading": _loading,
}
_FIRST = ("files", "evidence")  # what nothing else can be believed without
