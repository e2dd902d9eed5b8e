"""The teacher as a judge of words, and what a model tells apart: purity of its encoding, invariance and contrast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from rosearch.encodings.purity import Judge
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.contrast import Pair, measure_contrast
from rosearch.evaluation.invariance import measure_invariance
from rosearch.evaluation.quality import inference
from rosearch.measurements import Meaning
from rosearch.models.places import model_fingerprint
from rosearch.models.saved import load_classifier
from rosearch.progress import Progress, silent

_CHUNK = 4096  # texts in one call; paces the progress bar

Row = tuple[str, ...]
Answers = Callable[[Sequence[Row]], list[int]]


def answers_of(model: PreTrainedModel, tokenizer: Any, max_length: int, device: torch.device) -> Answers:
    """A function of rows of texts that gives the model's class of each, and asks it about a row once.

    The model must be on `device`, and stay as it is.
    """
    victim, known = Victim(model, tokenizer, max_length, device), dict[Row, int]()

    def answers(rows: Sequence[Row]) -> list[int]:
        if new := [row for row in dict.fromkeys(rows) if row not in known]:
            with inference(model, device):
                known.update(zip(new, victim(new).argmax(1).tolist(), strict=True))
        return [known[row] for row in rows]

    return answers


def teacher_judge(folder: Path, max_length: int, device: torch.device, progress: Progress = silent) -> Judge:
    """The teacher as a judge of readings. It is loaded only when it is asked."""

    def opinions(rows: Sequence[Row]) -> list[list[float]]:
        model, tokenizer = load_classifier(folder)
        victim, found = Victim(model.to(device), tokenizer, max_length, device), list[list[float]]()
        for start in range(0, len(rows), _CHUNK):
            with inference(model, device):
                logits = torch.as_tensor(victim(rows[start : start + _CHUNK]))
            found += logits.float().softmax(1).tolist()
            progress("readings", len(found), len(rows))
        return found

    return Judge(f"{model_fingerprint(folder)} {max_length}", opinions)


def measure_meaning(answers: Answers, pairs: Sequence[Pair], texts: int, tokenizer: Any) -> Meaning:
    """The meaning that a classifier of rows of `texts` texts tells apart; `tokenizer` is the one that it reads with."""
    encoding = getattr(tokenizer, "encoding", None)
    purity = ((None if encoding is None else encoding.data.get("purity")) or {}).get("mean")
    return Meaning(measure_invariance(answers, texts), measure_contrast(pairs, answers), purity)
