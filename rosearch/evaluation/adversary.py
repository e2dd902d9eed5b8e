"""Attacks during distillation: texts that break a student while it is trained, and accuracy under attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosearch.data.tasks import Rows, Split
from rosearch.evaluation.attacks.prepared import prepare_attack
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.quality import inference
from rosearch.evaluation.robustness import Suite, measure_robustness
from rosearch.progress import Progress, silent
from rosearch.resources.resources import Resources


@dataclass(frozen=True, eq=False)
class StudentAdversary:
    """The `Adversary` of distillation methods, by TextAttack's recipes.

    Students learn from `train`, not from `held_out`. Accuracy under attack, by which weights are chosen, is measured on
    a seeded sample of `rows` of `held_out`: it must hold no rows whose results are reported.
    """

    train: Split
    held_out: Split
    tokenizer: Any
    max_length: int
    device: Any
    resources: Resources
    cache: Path
    seed: int
    rows: int = 100
    progress: Progress = silent

    def find(self, student: Any, rows: Rows, attacks: Sequence[str], seed: int) -> list[tuple[int, tuple[str, ...]]]:
        """The texts that broke the student, each with its row of `train`, over all `rows` and attacks."""
        numbers = [int(row) for row in rows]
        texts = [tuple(self.train.texts[row]) for row in numbers]
        labels = [int(self.train.labels[row]) for row in numbers]
        victim, found = self._victim(student), []
        for name in attacks:
            attack = prepare_attack(name, texts, seed, victim, self.resources, self.cache)
            with inference(student, self.device):
                results = attack.run(victim, labels, progress=self.progress)
            found += [
                (row, result.texts) for row, result in zip(numbers, results, strict=True) if result.outcome == "broken"
            ]
        return found

    def under_attack(self, student: Any, attacks: Sequence[str], rows: int | None = None) -> float:
        """The share of a held-out sample of `rows` (None: its own number) that stays right under all attacks, 0..1."""
        found = measure_robustness(
            self._victim(student),
            self.held_out.texts,
            self.held_out.labels,
            Suite(tuple(attacks), self.rows if rows is None else rows),
            seed=self.seed,
            resources=self.resources,
            cache=self.cache,
            progress=self.progress,
        )
        return float(found.worst.under_attack.value)

    def _victim(self, student: Any) -> Victim:
        return Victim(student, self.tokenizer, self.max_length, self.device)
