from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation.tiny_model import CPU

from rosearch.data.tasks import Split
from rosearch.evaluation import adversary as module
from rosearch.evaluation.adversary import StudentAdversary
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.quality import inference
from rosearch.resources.resources import Resources


@pytest.fixture
def adversary(
    model: Any, tokenizer: Any, sentences: list[tuple[str, ...]], cache: Path, tmp_path: Path
) -> StudentAdversary:
    """An adversary on sentences, most of which the model has right."""
    with inference(model, CPU):
        labels = Victim(model, tokenizer, 48, CPU)(sentences).argmax(dim=1).numpy()
    split = Split(tuple(sentences), labels)
    return StudentAdversary(split, split, tokenizer, 48, CPU, Resources(tmp_path), cache, seed=3, rows=8)


def test_the_texts_that_it_finds_break_the_student(adversary: StudentAdversary, model: Any, tokenizer: Any) -> None:
    rows = np.array([5, 1, 9, 14, 3])
    found = adversary.find(model, rows, ["deepwordbug", "pruthi"], seed=1)
    assert found and {row for row, _ in found} <= set(rows.tolist())
    with inference(model, CPU), torch.inference_mode():
        told = Victim(model, tokenizer, 48, CPU)([text for _, text in found]).argmax(dim=1).tolist()
    assert all(label != adversary.train.labels[row] for label, (row, _) in zip(told, found, strict=True))
    assert all(text != adversary.train.texts[row] for row, text in found)


def test_equal_seeds_find_the_same(adversary: StudentAdversary, model: Any) -> None:
    rows = np.arange(8)
    first, again, other = (adversary.find(model, rows, ["deepwordbug"], seed) for seed in (1, 1, 2))
    assert first == again != other


def test_a_model_in_training_is_given_back_in_training(adversary: StudentAdversary, model: Any) -> None:
    model.train()
    adversary.find(model, np.arange(2), ["deepwordbug"], seed=1)
    assert model.training


def test_accuracy_under_attack_is_that_of_the_worst_attack(adversary: StudentAdversary, model: Any) -> None:
    alone = [adversary.under_attack(model, [name]) for name in ("deepwordbug", "pruthi")]
    assert adversary.under_attack(model, ["deepwordbug", "pruthi"]) <= min(alone) < 1.0


def test_so_many_rows_are_attacked_as_are_asked_for(
    adversary: StudentAdversary, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    measured = module.measure_robustness

    def watched(victim: Any, texts: Any, labels: Any, suite: Any, **others: Any) -> Any:
        found = measured(victim, texts, labels, suite, **others)
        asked.append(len(found.rows))
        return found

    monkeypatch.setattr(module, "measure_robustness", watched)
    adversary.under_attack(model, ["deepwordbug"], 3)
    adversary.under_attack(model, ["deepwordbug"])
    assert asked == [3, 8]
