"""Attacks as a teacher of distillation: texts that break a student while it is trained, and how often they do."""

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
    """`distillation.method.Adversary`, by TextAttack's recipes.

    `train` is what students learn from. `held_out` is not: a seeded sample of `rows` of it is what accuracy under
    attack is taken on when weights are chosen; give no rows that are reported.
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
        """What each attack made of each of `rows` (of `train`), where it broke the student: the row and the texts."""
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

    def under_attack(self, student: Any, attacks: Sequence[str]) -> float:
        """The share of a held-out sample that stays right under all attacks."""
        found = measure_robustness(
            self._victim(student),
            self.held_out.texts,
            self.held_out.labels,
            Suite(tuple(attacks), self.rows),
            seed=self.seed,
            resources=self.resources,
            cache=self.cache,
            progress=self.progress,
        )
        return float(found.worst.under_attack.value)

    def _victim(self, student: Any) -> Victim:
        return Victim(student, self.tokenizer, self.max_length, self.device)
