"""The teacher as a judge of words, and what a model tells apart: purity of its encoding, invariance and contrast."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from rosearch.data.tasks import Split
from rosearch.encodings.purity import Judge
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.contrast import Pair, contrast_pairs, measure_contrast
from rosearch.evaluation.invariance import measure_invariance
from rosearch.evaluation.quality import inference
from rosearch.files import content_key, made_once
from rosearch.measurements import Meaning
from rosearch.models.places import model_fingerprint
from rosearch.models.saved import load_classifier

_FORMAT = "1"  # part of every key: raise it when the changes of texts do

Row = tuple[str, ...]
Answers = Callable[[Sequence[Row]], list[int]]


def answers_of(model: PreTrainedModel, tokenizer: Any, max_length: int, device: torch.device) -> Answers:
    """A function of rows of texts that gives the model's class of each. The model must be on `device`."""
    victim = Victim(model, tokenizer, max_length, device)

    def answers(rows: Sequence[Row]) -> list[int]:
        with inference(model, device):
            found: list[int] = victim(rows).argmax(1).tolist()
        return found

    return answers


def teacher_judge(folder: Path, max_length: int, device: torch.device) -> Judge:
    """The teacher as a judge of readings. It is loaded only when it is asked."""

    def answers(rows: Sequence[Row]) -> list[int]:
        model, tokenizer = load_classifier(folder)
        model.to(device)
        return answers_of(model, tokenizer, max_length, device)(rows)

    return Judge(f"{model_fingerprint(folder)} {max_length}", answers)


def kept_pairs(split: Split, judge: Judge, cache: Path) -> list[Pair]:
    """The contrast pairs of a split, made once by the teacher and kept below `cache/contrast`."""
    path = cache / "contrast" / f"{content_key((_FORMAT, split.fingerprint, judge.key))}.json"
    return made_once(path, _read, partial(_write, split, judge))


def measure_meaning(answers: Answers, pairs: Sequence[Pair], texts: int, tokenizer: Any) -> Meaning:
    """What a classifier of rows of `texts` texts tells apart; `tokenizer` is the one that it reads with."""
    encoding = getattr(tokenizer, "encoding", None)
    purity = ((None if encoding is None else encoding.data.get("purity")) or {}).get("mean")
    return Meaning(measure_invariance(answers, texts), measure_contrast(pairs, answers), purity)


def _write(split: Split, judge: Judge, draft: Path) -> None:
    pairs = contrast_pairs(split.texts, judge.answers)
    draft.write_text(json.dumps(pairs, ensure_ascii=False), encoding="utf-8")


def _read(path: Path) -> list[Pair] | None:
    try:
        return [(tuple(row), tuple(changed)) for row, changed in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None
