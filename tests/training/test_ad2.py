"""AD^2 on a tiny student: what it adds to plain distillation, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from training.tiny_models import CPU, config_of, make_inputs, make_student, make_task, same_weights, save_model
from transformers import PreTrainedModel

from rosearch.data.batches import Batch, collate
from rosearch.data.tokens import tokenise
from rosearch.models.device import autocast
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.training.ad2 import AdversarialDistillation
from rosearch.training.fitting import private_generator
from rosearch.training.method import TrainingInputs
from rosearch.training.outputs import TeacherRows, teacher_outputs
from rosearch.training.perturbation import with_embeddings
from rosearch.training.trainer import distil


@pytest.fixture
def batch(inputs: TrainingInputs) -> Batch:
    return collate(inputs.tokenised, np.arange(32))


@pytest.fixture
def rows(inputs: TrainingInputs, batch: Batch) -> TeacherRows:
    return inputs.outputs.rows(inputs.tokenised, batch)


@pytest.fixture
def student(tokenizer: Any) -> StudentForSequenceClassification:
    """With word vectors as long as pretrained ones, which the presets are for, and a classifier not near zero."""
    student = make_student(len(tokenizer)).eval()
    with torch.no_grad():
        student.get_input_embeddings().weight.mul_(25)
        student.classifier.weight.mul_(50)
    return student


def method_of(inputs: TrainingInputs, student: PreTrainedModel, *, temperature: float = 2.0, **ad2: Any) -> Any:
    config = config_of("ad2", ad2=ad2, temperature=temperature)
    return AdversarialDistillation.make(replace(inputs, config=config), student)


def perturb(method: Any, student: PreTrainedModel, batch: Batch, rows: TeacherRows, seed: int = 5) -> Tensor:
    words = student.get_input_embeddings()(batch.input_ids).detach()
    with private_generator(CPU, seed):
        delta: Tensor = method.perturbation(student, words, batch, rows)
    return delta


def divergence(
    student: PreTrainedModel, words: Tensor, batch: Batch, rows: TeacherRows, temperature: float = 2.0
) -> Tensor:
    """tau^2 KL, spelt out."""
    logits = student(**with_embeddings(batch.inputs, words)).logits
    p = (rows.logits / temperature).softmax(-1)
    return temperature**2 * (p * (p.log() - (logits / temperature).log_softmax(-1))).sum(-1).mean()


@pytest.mark.parametrize("preset", [None, "smart", "freelb-sst2"])
def test_padding_and_special_tokens_stay_where_they_are(
    preset: str | None,
    student: StudentForSequenceClassification,
    inputs: TrainingInputs,
    batch: Batch,
    rows: TeacherRows,
    tokenizer: Any,
) -> None:
    words = batch.attention_mask.bool() & (batch.input_ids != 2) & (batch.input_ids != 3)
    delta = perturb(method_of(inputs, student, preset=preset), student, batch, rows)
    assert (delta[~words] == 0).all() and (delta[words] != 0).any(-1).all()
    everywhere = perturb(method_of(inputs, student, preset=preset, perturb_special=True), student, batch, rows)
    real = batch.attention_mask.bool()
    assert (everywhere[~real] == 0).all() and (everywhere[real] != 0).any(-1).all()


def test_a_word_that_the_vocabulary_lacks_is_moved_like_any_other(
    student: StudentForSequenceClassification, inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
) -> None:
    ids = batch.input_ids.clone()
    ids[:, 1] = tokenizer.unk_token_id
    delta = perturb(method_of(inputs, student), student, replace(batch, input_ids=ids), rows)
    assert (delta[:, 1] != 0).any(-1).all()


def test_a_row_is_moved_by_no_more_than_the_bound(
    student: StudentForSequenceClassification, inputs: TrainingInputs, batch: Batch, rows: TeacherRows
) -> None:
    delta = perturb(method_of(inputs, student, preset="freelb-mnli", steps=6), student, batch, rows)
    norms = delta.flatten(1).norm(dim=1)
    assert (norms <= 0.3 * (1 + 1e-5)).all()
    assert (norms > 0.29).sum() > len(batch) / 2  # six steps of 0.1 reach it


def test_the_student_leaves_the_teacher_further_than_under_noise_of_the_same_size(
    student: StudentForSequenceClassification, inputs: TrainingInputs, batch: Batch, rows: TeacherRows
) -> None:
    words = student.get_input_embeddings()(batch.input_ids).detach()
    method = method_of(inputs, student, preset="freelb-sst2")
    found, noise = [], []
    with torch.no_grad():
        for seed in range(8):
            delta = perturb(method, student, batch, rows, seed)
            random = torch.randn(delta.shape, generator=torch.Generator().manual_seed(seed)) * (delta != 0)
            random *= (delta.flatten(1).norm(dim=1) / random.flatten(1).norm(dim=1)).view(-1, 1, 1)
            found.append(divergence(student, words + delta, batch, rows).item())
            noise.append(divergence(student, words + random, batch, rows).item())
        clean = divergence(student, words, batch, rows).item()
    assert np.mean(found) > np.mean(noise) and np.mean(found) > clean
    assert min(found) > max(noise)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_loss_and_its_gradient_are_those_by_hand_for_one_step(
    temperature: float,
    student: StudentForSequenceClassification,
    inputs: TrainingInputs,
    batch: Batch,
    rows: TeacherRows,
) -> None:
    """tau^2 is in both losses; delta is a constant in the outer one, and the word table learns through both."""
    ad2 = {"steps": 1, "step_size": 0.3, "start": 0.0, "bound": 0.2, "weight": 0.7, "perturb_special": True}
    method = method_of(inputs, student, temperature=temperature, **ad2)
    total = torch.stack(list(method.losses(student, batch, rows))).sum()
    gradients = torch.autograd.grad(total, list(student.parameters()))

    table = student.get_input_embeddings()
    words = table(batch.input_ids).detach().requires_grad_()
    (by_row,) = torch.autograd.grad(len(batch) * divergence(student, words, batch, rows, temperature), words)
    by_row = by_row * batch.attention_mask.unsqueeze(-1)
    norms = by_row.flatten(1).norm(dim=1).view(-1, 1, 1)
    delta = 0.2 * by_row / norms  # a step of 0.3, cut to the bound
    clean = divergence(student, table(batch.input_ids), batch, rows, temperature)
    hard = F.cross_entropy(student(**batch.inputs).logits, batch.labels)
    moved = divergence(student, table(batch.input_ids) + delta, batch, rows, temperature)
    expected = clean + 0.5 * hard + 0.7 * moved
    torch.testing.assert_close(total, expected)
    for found, by_hand in zip(gradients, torch.autograd.grad(expected, list(student.parameters())), strict=True):
        torch.testing.assert_close(found, by_hand, rtol=1e-3, atol=1e-5)


def test_finding_the_perturbation_leaves_the_gradients_of_the_student_alone(
    student: StudentForSequenceClassification, inputs: TrainingInputs, batch: Batch, rows: TeacherRows
) -> None:
    perturb(method_of(inputs, student, preset="freelb-mrpc"), student, batch, rows)
    assert all(parameter.grad is None for parameter in student.parameters())


@pytest.mark.parametrize("preset", [None, "smart", "freelb-qqp"])
def test_losses_and_gradients_are_finite_in_bfloat16(
    preset: str | None,
    student: StudentForSequenceClassification,
    inputs: TrainingInputs,
    batch: Batch,
    rows: TeacherRows,
) -> None:
    method = method_of(inputs, student.train(), preset=preset)
    for part in _under_autocast(method, student, batch, rows):
        assert part.dtype == torch.float32 and part.isfinite()
        part.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in student.parameters())


def _under_autocast(method: Any, student: PreTrainedModel, batch: Batch, rows: TeacherRows) -> list[Tensor]:
    with autocast(CPU, "bfloat16", training=True):
        return list(method.losses(student, batch, rows))


def test_scores_are_moved_to_where_the_squared_error_is_larger(tokenizer: Any, tmp_path: Path) -> None:
    task = make_task("score", train=32)
    folder = save_model(tmp_path / "teacher", tokenizer, head=True, num_labels=1, initializer_range=0.5)
    tokenised = tokenise(task.train, tokenizer, 16, tmp_path)
    outputs = teacher_outputs(folder, tokenised, (), tmp_path, CPU)
    inputs = make_inputs(
        config_of("ad2"), tokenised, outputs, task.train, tokenizer, folder, tmp_path, problem="regression"
    )
    student = make_student(len(tokenizer), problem="regression").eval()
    batch = collate(tokenised, np.arange(32))
    rows = outputs.rows(tokenised, batch)
    method = method_of(inputs, student, start=0.0)
    _, moved = method.losses(student, batch, rows)
    assert moved > F.mse_loss(student(**batch.inputs).logits, rows.logits)


def test_training_is_repeatable_and_asks_the_teacher_for_nothing(
    inputs: TrainingInputs, tokenizer: Any, tmp_path: Path
) -> None:
    """Its outputs are those of the cache: there is no folder to load it from."""
    config = config_of("ad2", ad2={"preset": "freelb-sst2"}, max_steps=4)
    without = replace(inputs, config=config, teacher=None, cache=tmp_path / "nowhere")
    first, second = make_student(len(tokenizer)), make_student(len(tokenizer))
    assert distil(first, without).final_loss == distil(second, without).final_loss
    assert same_weights(first, second)
