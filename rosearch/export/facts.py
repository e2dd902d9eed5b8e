"""Facts of an exported folder that whoever answers from it needs; read from its JSON files, without torch.

>>> read_facts(Path("student")).labels
('negative', 'positive')
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rosearch.errors import BadInput, Problem, one_line
from rosearch.export.destination import EVIDENCE, RECORD
from rosearch.models.lengths import longest_input
from rosearch.models.places import require_undamaged

ENCODED = "encoding.json"  # in the folder of a tokenizer that encodes words
_MOST = 10**9  # tokens: a tokenizer without a limit names a larger number


@dataclass(frozen=True)
class Facts:
    """A classifier in a folder: how it is asked, and how its logits are read."""

    labels: tuple[str, ...]  # in the order of the logits; of a regression one
    longest: int  # tokens; longer texts are cut
    pad_id: int
    cut_side: str  # right or left: where a text is cut
    texts: int | None  # 1, or 2 where the task is about pairs; None: an export of older versions does not say
    temperature: float | None  # logits are divided by it before they become probabilities; None: never fitted
    encoded: bool  # its tokenizer encodes words

    @property
    def is_regression(self) -> bool:
        """True where the one logit is a score."""
        return len(self.labels) == 1


def read_facts(folder: Path) -> Facts:
    """The facts. Raises `BadInput` for what is no classifier's folder, or is no longer what was written."""
    if not folder.is_dir():
        raise BadInput(Problem(str(folder), "", "an exported folder", "no folder", "rosearch export writes one"))
    require_undamaged(folder)
    config = read_json(folder / "config.json")
    if not any("SequenceClassification" in str(name) for name in config.get("architectures") or ()):
        got = ", ".join(map(str, config.get("architectures") or ())) or "none named"
        raise BadInput(Problem(str(folder / "config.json"), "architectures", "a sequence classifier", got))
    tokenizer, evidence = (read_json(folder / name, absent={}) for name in ("tokenizer_config.json", EVIDENCE))
    names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}  # transformers leaves its own default out
    return Facts(
        labels=tuple(str(names[place]) for place in sorted(names, key=int)),
        longest=_longest(config, tokenizer),
        pad_id=config.get("pad_token_id") or 0,
        cut_side=str(tokenizer.get("truncation_side", "right")),
        texts=evidence.get("texts"),
        temperature=_temperature(folder, evidence),
        encoded=(folder / ENCODED).is_file(),
    )


def read_json(path: Path, absent: dict[str, Any] | None = None) -> dict[str, Any]:
    """The object in a JSON file; `absent` where there is no such file. Raises `BadInput`."""
    if absent is not None and not path.is_file():
        return absent
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        got = "no such file" if isinstance(error, FileNotFoundError) else one_line(error)
        raise BadInput(Problem(str(path), "", "a JSON file of an export", got)) from None
    if not isinstance(found, dict):
        raise BadInput(Problem(str(path), "", "a JSON object", type(found).__name__))
    return found


def _longest(config: dict[str, Any], tokenizer: dict[str, Any]) -> int:
    limit = tokenizer.get("model_max_length", _MOST)
    known = {"model_type": "", "pad_token_id": 0, **config}
    return longest_input(SimpleNamespace(**known), SimpleNamespace(model_max_length=int(min(limit, _MOST))))


def _temperature(folder: Path, evidence: dict[str, Any]) -> float | None:
    """That of the evidence; in an older export that of the record beside it."""
    if evidence:
        found = evidence.get("temperature")
    else:
        found = read_json(folder / RECORD, absent={})
        for key in ("quality", "validation", "student", "calibration", "temperature"):
            found = found.get(key) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) and found > 0 else None
