from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training.tiny_models import BAD, GOOD, config_of, make_student, make_tokenizer, save_masked_lm

from rosearch.data.batches import Batch, collate
from rosearch.data.tasks import Rows
from rosearch.errors import BadInput
from rosearch.training.fitting import private_generator
from rosearch.training.losses import soft_label_loss
from rosearch.training.method import Text, TrainingInputs
from rosearch.training.robust_kd import RobustKd
from rosearch.training.trainer import distil


class Adversary:
    """Turns every word into the opposite, whatever the student."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, tuple[str, ...], int]] = []

    def find(self, student: Any, rows: Rows, attacks: Sequence[str], seed: int) -> list[tuple[int, Text]]:
        assert not student.training
        self.calls.append((len(rows), tuple(attacks), seed))
        return [(int(row), ("a bad film",)) for row in rows]

    def under_attack(self, student: Any, attacks: Sequence[str], rows: int | None = None) -> float:
        return 0.5


@pytest.fixture
def resources(tmp_path: Path) -> Path:
    folder = tmp_path / "resources"
    folder.mkdir()
    words = [*GOOD, *BAD]
    lists = {word: [other for other in words if other != word] for word in words}
    (folder / "counterfitted_neighbors.json").write_text(json.dumps(lists))
    save_masked_lm(folder / "masked_lm", make_tokenizer())
    return folder


@pytest.fixture
def batch(inputs: TrainingInputs) -> Batch:
    return collate(inputs.tokenised, np.arange(8))


def robust(inputs: TrainingInputs, steps: int | None = None, **settings: Any) -> TrainingInputs:
    method = {"sources": ["characters"], "ramp": 0.0, **settings}
    config = config_of("robust_kd", robust_kd=method, max_steps=steps)
    return replace(inputs, config=config)


def parts(inputs: TrainingInputs, batch: Batch, student: Any) -> list[float]:
    """Each part of the loss, propagated back before the next, as in training."""
    method = RobustKd.make(inputs, student)
    found = []
    for part in method.losses(student, batch, inputs.outputs.rows(inputs.tokenised, batch)):
        part.backward()
        found.append(part.item())
    return found


@pytest.mark.parametrize("source", ["characters", "synonyms", "other_words", "refill", "embeddings", "hull"])
def test_every_source_gives_a_clean_and_a_perturbed_part(
    source: str, inputs: TrainingInputs, batch: Batch, tokenizer: Any, resources: Path
) -> None:
    student = make_student(len(tokenizer)).eval()
    clean, perturbed = parts(replace(robust(inputs, sources=[source]), resources=resources), batch, student)
    soft = soft_label_loss(
        student(**batch.inputs).logits, inputs.outputs.rows(inputs.tokenised, batch).logits, "classification", 2.0
    )
    assert clean > 0 and perturbed != pytest.approx(soft.item(), rel=1e-6)
    assert all(value.grad is not None and value.grad.isfinite().all() for value in student.parameters())


def test_the_perturbed_part_is_held_to_the_teachers_clean_outputs(
    inputs: TrainingInputs, batch: Batch, tokenizer: Any
) -> None:
    """A source that has nothing to change: both parts are of the same text."""
    student = make_student(len(tokenizer)).eval()
    texts = tuple(("",) for _ in inputs.texts)
    method = RobustKd.make(replace(robust(inputs, weight=0.7), texts=texts), student)
    rows = inputs.outputs.rows(inputs.tokenised, batch)
    _, perturbed = list(method.losses(student, batch, rows))
    empty = torch.tensor([[2, 3]]).repeat(8, 1)
    expected = 0.7 * soft_label_loss(student(input_ids=empty).logits, rows.logits, "classification", 2.0)
    torch.testing.assert_close(perturbed, expected)


def test_the_teacher_is_asked_about_text_of_another_meaning(
    inputs: TrainingInputs, batch: Batch, tokenizer: Any
) -> None:
    """The text that a source makes is caught on its way; what the teacher says of it is the target."""
    student = make_student(len(tokenizer)).eval()
    method = RobustKd.make(robust(inputs, sources=["other_words"], weight=0.7, consistency=1.0, words=0.5), student)
    made: list[list[Text]] = []
    batched = method._batch

    def watched(texts: list[Text], *others: Any) -> Batch:
        made.append(texts)
        return batched(texts, *others)

    method._batch = watched  # type: ignore[method-assign]
    _, perturbed = list(method.losses(student, batch, inputs.outputs.rows(inputs.tokenised, batch)))
    assert made[0] == made[1] and made[0] != [inputs.texts[row] for row in batch.rows.tolist()]
    assert method.teacher is not None
    seen = tokenizer([text for (text,) in made[0]], padding=True, return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        answer = method.teacher[0](**seen).logits
    expected = 0.7 * soft_label_loss(student(**seen).logits, answer, "classification", 2.0)
    torch.testing.assert_close(perturbed, expected)


def test_a_source_that_asks_the_teacher_is_refused_without_one(inputs: TrainingInputs, tokenizer: Any) -> None:
    asked = replace(robust(inputs, sources=["other_words"]), teacher=None)
    with pytest.raises(
        BadInput, match=r"teacher\.model: expected a teacher, which robust_kd asks about texts that are new"
    ):
        RobustKd.make(asked, make_student(len(tokenizer)))


def test_consistency_adds_the_symmetric_divergence(inputs: TrainingInputs, batch: Batch, tokenizer: Any) -> None:
    student = make_student(len(tokenizer)).eval()
    plain, consistent = (parts(robust(inputs, consistency=weight), batch, student)[1] for weight in (0.0, 1.0))
    assert consistent > plain


def test_guided_words_harm_more_than_random_ones(inputs: TrainingInputs, tokenizer: Any, resources: Path) -> None:
    """A trained student is needed: before training, its gradient says nothing about words."""
    student = make_student(len(tokenizer))
    distil(student, replace(inputs, config=config_of("kd", epochs=4, learning_rate=1e-2)))
    batch = collate(inputs.tokenised, np.arange(128))
    harms = {}
    for guided in (0.0, 1.0):
        made = replace(robust(inputs, sources=["synonyms"], guided=guided, words=1.0), resources=resources)
        harms[guided] = np.mean([parts(replace(made, seed=seed), batch, student)[1] for seed in range(5)])
    assert harms[1.0] > harms[0.0]


def test_strength_rises_to_full_over_the_ramp(inputs: TrainingInputs, tokenizer: Any) -> None:
    student = make_student(len(tokenizer))
    method = RobustKd.make(robust(inputs, ramp=0.5), student)
    strengths = []
    for step in range(inputs.steps):
        method.before_step(student, step)
        strengths.append(method._strength())
    assert strengths == sorted(strengths) and strengths[0] < 0.5
    assert strengths[inputs.steps // 2 - 1] == strengths[-1] == 1.0


def test_the_student_is_attacked_every_so_many_steps_and_learns_what_broke_it(
    inputs: TrainingInputs, tokenizer: Any
) -> None:
    adversary = Adversary()
    settings = {"attacks": ["pwws"], "attack_every": 3, "attack_rows": 5, "attack_share": 1.0}
    made = replace(robust(inputs, **settings), adversary=adversary)
    student = make_student(len(tokenizer))
    method = RobustKd.make(made, student)
    for step in range(8):
        method.before_step(student, step)
    assert [call[:2] for call in adversary.calls] == [(5, ("pwws",))] * 2  # before steps 3 and 6
    assert len({call[2] for call in adversary.calls}) == 2 and student.training
    batch = collate(inputs.tokenised, np.arange(8))
    rows = inputs.outputs.rows(inputs.tokenised, batch)
    perturbed, targets, own = method._perturbed_batch(
        student, batch, rows, "characters", None, np.random.default_rng(1)
    )
    assert not own.any() and (perturbed.input_ids == perturbed.input_ids[0]).all()
    expected = np.asarray(inputs.outputs.logits)[perturbed.rows]
    assert np.array_equal(targets.numpy(), expected)  # the clean outputs of the rows that the examples are of


def test_attacks_without_an_attacker_are_refused(inputs: TrainingInputs, tokenizer: Any) -> None:
    with pytest.raises(BadInput, match=r"robust_kd\.attacks.*pwws"):
        RobustKd.make(robust(inputs, attacks=["pwws"]), make_student(len(tokenizer)))


def test_its_state_survives_a_restart(inputs: TrainingInputs, tokenizer: Any) -> None:
    student = make_student(len(tokenizer))
    settings = {"attacks": ["pwws"], "attack_every": 1, "attack_rows": 3, "average": 0.5}
    made = replace(robust(inputs, **settings), adversary=Adversary())
    with private_generator(torch.device("cpu"), 1):
        first, second = (RobustKd.make(made, student) for _ in range(2))
    first.before_step(student, 0)
    first.before_step(student, 1)
    second.load_state_dict(first.state_dict())
    assert second.found == first.found != []
    assert first.mean is not None and second.mean is not None
    assert all(torch.equal(first.mean.weights[name], value) for name, value in second.mean.weights.items())
