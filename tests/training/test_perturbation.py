"""Perturbations of input embeddings: where they may be, how large they get, and that they find what they look for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from training.tiny_models import CPU, make_auto_student, make_student
from transformers import PreTrainedModel

from rosearch.config.ad2 import Norm
from rosearch.data.batches import collate
from rosearch.data.tokens import TokenisedSplit
from rosearch.models.device import autocast
from rosearch.training.fitting import private_generator
from rosearch.training.perturbation import ascend, embed, project, random_start, with_embeddings

NORMS: tuple[Norm, ...] = ("row", "token")
MASK = torch.tensor([[True, True, True, False], [False, True, False, False], [False, False, False, False]])


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def size(delta: Tensor, norm: Norm) -> Tensor:
    return delta.flatten(1).norm(dim=1) if norm == "row" else delta.abs().amax(-1)


def student_of(kind: str, vocabulary: int) -> PreTrainedModel:
    return make_student(vocabulary) if kind == "ours" else make_auto_student(kind, vocabulary)


@pytest.mark.parametrize("kind", ["ours", "bert", "distilbert", "roberta"])
def test_embeddings_stand_for_ids_in_every_model(kind: str, tokenised: TokenisedSplit, tokenizer: Any) -> None:
    student = student_of(kind, len(tokenizer)).eval()
    batch = collate(tokenised, np.array([3, 0, 17, 40]))
    assert not batch.attention_mask.all()  # there is padding, on the right
    inputs = batch.inputs
    if kind == "distilbert":
        inputs.pop("token_type_ids")
    instead = with_embeddings(inputs, embed(student, batch.input_ids))
    assert "input_ids" not in instead
    torch.testing.assert_close(student(**instead).logits, student(**inputs).logits, rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
@given(steps=st.integers(1, 4), step_size=st.floats(1e-3, 10), start=st.floats(0, 10), bound=st.floats(1e-3, 5))
def test_a_perturbation_is_zero_off_the_mask_and_never_larger_than_its_bound(
    norm: Norm, steps: int, step_size: float, start: float, bound: float
) -> None:
    weight = draw(3, 4, 5)
    with private_generator(CPU, 1):
        first = random_start(MASK, 5, start, norm)
    delta = ascend(lambda delta: (delta * weight).sum().square(), first, MASK, steps, step_size, norm, bound)
    assert delta.shape == (3, 4, 5) and not delta.requires_grad
    assert (delta[~MASK] == 0).all() and (first[~MASK] == 0).all()
    assert (size(delta, norm) <= bound * (1 + 1e-5)).all()
    assert delta.isfinite().all()


@pytest.mark.parametrize("norm", NORMS)
def test_a_start_off_the_mask_is_left_out(norm: Norm) -> None:
    delta = ascend(lambda delta: delta.square().sum(), draw(3, 4, 5), MASK, 1, 0.1, norm, None)
    assert (delta[~MASK] == 0).all() and (delta[MASK] != 0).all()


def test_a_step_has_its_size_in_its_norm() -> None:
    weight = draw(3, 4, 5)
    zero = torch.zeros(3, 4, 5)
    row = ascend(lambda delta: (delta * weight).sum(), zero, MASK, 1, 0.25, "row", None)
    expected = weight * MASK.unsqueeze(-1)
    torch.testing.assert_close(row[0], 0.25 * expected[0] / expected[0].norm())
    torch.testing.assert_close(row[2], zero[2])  # no token of it may move
    token = ascend(lambda delta: (delta * weight).sum(), zero, MASK, 1, 0.25, "token", None)
    torch.testing.assert_close(token[0, 1], 0.25 * weight[0, 1] / weight[0, 1].abs().max(), rtol=1e-4, atol=0)


def test_steps_follow_the_gradient_where_they_are() -> None:
    """Two steps by hand on a loss whose gradient turns: delta_1 x delta_2, from (0.1, 0.2)."""
    first = torch.tensor([[[0.1, 0.2]]])
    mask = torch.tensor([[True]])
    delta = ascend(lambda delta: delta.prod(-1).sum(), first, mask, 2, 0.5, "row", None)
    by_hand = first.flatten().double()
    for _ in range(2):
        gradient = by_hand.flip(0)
        by_hand = by_hand + 0.5 * gradient / gradient.norm()
    torch.testing.assert_close(delta.flatten().double(), by_hand, rtol=1e-5, atol=1e-6)


def test_projection_shortens_what_is_too_long_and_leaves_the_rest() -> None:
    delta = torch.stack([draw(4, 5), 0.01 * draw(4, 5)])
    shortened = project(delta, "row", 0.6)
    torch.testing.assert_close(shortened[0], 0.6 * delta[0] / delta[0].norm())
    assert torch.equal(shortened[1], delta[1])
    assert torch.equal(project(delta, "token", 0.1), delta.clamp(-0.1, 0.1))
    assert project(delta, "row", None) is delta


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.parametrize("norm", NORMS)
def test_a_row_whose_gradient_is_not_finite_stays_where_it_is(norm: Norm, poison: float) -> None:
    first, mask = 0.1 * draw(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)
    weight = torch.ones(2, 3, 4)
    weight[0, 1, 2] = poison
    delta = ascend(lambda delta: (delta * weight).sum(), first, mask, 2, 0.5, norm, 9.0)
    assert torch.equal(delta[0], first[0])
    assert (delta[1] != first[1]).all() and delta.isfinite().all()


@pytest.mark.parametrize("norm", NORMS)
def test_a_gradient_of_zero_takes_no_step(norm: Norm) -> None:
    first, mask = draw(1, 3, 4), torch.ones(1, 3, dtype=torch.bool)
    assert torch.equal(ascend(lambda delta: (0 * delta).sum(), first, mask, 3, 0.5, norm, None), first)


def test_the_first_perturbation_has_the_size_that_is_asked_for_however_long_the_row() -> None:
    mask = torch.zeros(400, 32, dtype=torch.bool)
    mask[:200, :2] = True
    mask[200:, :32] = True
    with private_generator(CPU, 1):
        rows = random_start(mask, 16, 0.5, "row").square().sum((1, 2))
        tokens = random_start(mask, 16, 0.5, "token")[mask]
    assert rows[:200].mean().sqrt().item() == pytest.approx(0.5, rel=0.05)
    assert rows[200:].mean().sqrt().item() == pytest.approx(0.5, rel=0.05)
    assert tokens.std().item() == pytest.approx(0.5, rel=0.05)


def test_the_arithmetic_is_float32_under_autocast_and_no_parameter_gets_a_gradient(
    tokenised: TokenisedSplit, tokenizer: Any
) -> None:
    student = make_student(len(tokenizer)).train()
    batch = collate(tokenised, np.array([3, 0, 17, 40]))
    held = torch.ones_like(next(student.parameters()))
    next(student.parameters()).grad = held
    words = embed(student, batch.input_ids).detach()
    mask = batch.attention_mask.bool()
    seen: list[torch.dtype] = []

    def loss_of(delta: Tensor) -> Tensor:
        logits = student(**with_embeddings(batch.inputs, words + delta)).logits
        seen.append(logits.dtype)
        return logits.square().sum()

    with autocast(CPU, "bfloat16", training=True):
        delta = ascend(loss_of, torch.zeros_like(words), mask, 2, 1e-4, "row", 1.0)
    assert seen == [torch.bfloat16, torch.bfloat16]
    assert delta.dtype == torch.float32 and delta.isfinite().all()
    assert 0.5e-4 < delta.flatten(1).norm(dim=1).min() < delta.flatten(1).norm(dim=1).max() < 2.1e-4
    first, *others = student.parameters()
    assert first.grad is held and (held == 1).all()
    assert all(parameter.grad is None for parameter in others)
