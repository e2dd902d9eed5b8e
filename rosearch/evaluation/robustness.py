"""Robustness under one attack: a seeded sample of rows, a seed for each, and what their results add up to."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rosearch.errors import CandidateFailed
from rosearch.evaluation.attacks.recipes import AttackedRow, StockAttack, open_attack
from rosearch.evaluation.intervals import mean_interval, wilson
from rosearch.evaluation.quality import inference
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed, generator
from rosearch.records.measurements import Robustness

_SHARE, _COUNT = (0.0, 1.0), (0.0, math.inf)  # the limits of what is averaged


class TextVictim:
    """A model with its tokenizer, as an attack queries it: texts in, float32 logits (n, labels) on the CPU.

    Texts are cut to `max_length` tokens and padded to the longest of the call (TextAttack's own wrapper pads
    to 512). `failure` is what the model itself raised, so that nobody takes it for the attack's.
    """

    def __init__(self, model: torch.nn.Module, tokenizer: Any, max_length: int, device: torch.device) -> None:
        self.model = model
        self.failure: Exception | None = None
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._device = device

    def __call__(self, texts: list[str] | list[tuple[str, ...]]) -> torch.Tensor:
        """Logits of n texts, or of n pairs. Raises `CandidateFailed` (nan) where one is not finite."""
        firsts = [text if isinstance(text, str) else text[0] for text in texts]
        seconds = [text[1] for text in texts if not isinstance(text, str)] or None
        encoded = self._tokenizer(
            firsts,
            seconds,
            truncation=True,
            max_length=self._max_length,
            padding="longest",
            return_tensors="pt",
        )
        try:
            logits: torch.Tensor = self.model(**encoded.to(self._device)).logits.float().cpu()
            if not torch.isfinite(logits).all():
                raise CandidateFailed("nan", "logits under attack are not finite", "attack")
        except Exception as error:
            self.failure = error
            raise
        return logits


def measure_robustness(
    model: torch.nn.Module,
    tokenizer: Any,
    texts: Sequence[tuple[str, ...]],
    labels: np.ndarray[tuple[int], np.dtype[Any]],
    *,
    attack: str,
    rows: int,
    max_length: int,
    seed: int,
    device: torch.device,
    cache: Path,
    progress: Progress = silent,
) -> Robustness:
    """Attack a classifier on a sample of `rows` rows (all, where there are fewer), single sentences or pairs.

    The sample depends on the seed and the rows there are, and a smaller one is part of a larger one. What is
    drawn for a row depends on the seed and its text, never on other rows. The model is on `device`.

    Raises `CandidateFailed`: nan where a logit is not finite, attack_error where the attack raised on every
    row that it attacked. What the model itself raises goes through.
    """
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"an attack needs classes to flip, the labels are {labels.dtype}")
    victim = TextVictim(model, tokenizer, max_length, device)
    chosen = sample_rows(len(texts), rows, seed)
    opened = open_attack(attack, victim, cache)
    results, complaints, start = [], [], time.perf_counter()
    with inference(model, device):
        for done, row in enumerate(chosen, start=1):
            row_seed = derive_seed(seed, "\x1e".join(("attacked row", attack, *texts[row])))
            result, complaint = _attack_row(opened, victim, texts[row], int(labels[row]), row_seed)
            results.append(result)
            complaints += [complaint] if complaint else []
            progress("attack", done, len(chosen))
    _require_some_attack(attack, results, complaints)
    return summarise(attack, seed, results, time.perf_counter() - start)


def sample_rows(available: int, rows: int, seed: int) -> list[int]:
    """Up to `rows` of `available` row numbers, ascending. Raises `ValueError` where there are none."""
    if available < 1 or rows < 1:
        raise ValueError(f"cannot sample {rows} of {available} rows")
    order = list(range(available))
    generator(seed, "attacked rows").shuffle(order)
    return sorted(order[:rows])


def summarise(attack: str, seed: int, results: Sequence[AttackedRow], seconds: float) -> Robustness:
    """What the rows of one attack add up to; rows whose attack raised count as broken by no change at all."""
    clean = [result for result in results if result.outcome != "misclassified"]
    survived = sum(result.outcome == "survived" for result in clean)
    broken = [result for result in clean if result.outcome == "broken"]
    return Robustness(
        attack=attack,
        seed=seed,
        n=len(results),
        clean=wilson(len(clean), len(results)),
        under_attack=wilson(survived, len(results)),
        success_rate=wilson(len(clean) - survived, len(clean)),
        queries=mean_interval([result.queries for result in clean if result.outcome != "error"], _COUNT),
        perturbed_words=mean_interval([_share_changed(result) for result in broken], _SHARE),
        words_to_break=mean_interval([_share_to_break(result) for result in results], _SHARE),
        errors=sum(result.outcome == "error" for result in results),
        seconds=seconds,
    )


def _attack_row(
    attack: StockAttack, victim: TextVictim, texts: tuple[str, ...], label: int, seed: int
) -> tuple[AttackedRow, str]:
    """The row's result, and what the attack raised on it, or "". What the model raises is raised again."""
    try:
        return attack.run(texts, label, seed), ""
    except MemoryError:
        raise
    except Exception as error:
        if error is victim.failure:
            raise
        clean = victim([texts[0]]) if len(texts) == 1 else victim([texts])
        right = int(clean.argmax()) == label
        complaint = f"{type(error).__name__}: {error}"
        return AttackedRow("error" if right else "misclassified", texts, 0, 0, 0), complaint if right else ""


def _require_some_attack(attack: str, results: Sequence[AttackedRow], complaints: Sequence[str]) -> None:
    attacked = sum(result.outcome != "misclassified" for result in results)
    if complaints and len(complaints) == attacked:
        message = f"{attack} raised on all {attacked} rows that it attacked, first {complaints[0]}"
        raise CandidateFailed("attack_error", message, "attack")


def _share_changed(result: AttackedRow) -> float:
    return result.changed / result.words if result.words else 0.0


def _share_to_break(result: AttackedRow) -> float:
    return 1.0 if result.outcome == "survived" else _share_changed(result)
