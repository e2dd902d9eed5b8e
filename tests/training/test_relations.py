from __future__ import annotations

from math import sqrt

import pytest
import torch
from torch import Tensor

from rosearch.errors import BadInput
from rosearch.training import relations
from rosearch.training.relations import Projected, check_relation_heads, relation_loss

BATCH, TOKENS, HEADS, STUDENT, TEACHER = 3, 7, 4, 8, 24
MASK = (torch.arange(TOKENS) < torch.tensor([7, 1, 4]).unsqueeze(1)).long()


def projected(width: int, seed: int, *, scale: float = 1.0, grad: bool = False) -> Projected:
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(BATCH, TOKENS, width, generator=generator) * scale for _ in range(3)]
    return Projected(*(tensor.requires_grad_(grad) for tensor in drawn))


def written_out(student: Projected, teacher: Projected, heads: int, mask: Tensor) -> Tensor:
    """The paper's equations, head by head and sentence by sentence, on real tokens alone."""
    total = torch.zeros(())
    for ours, theirs in zip(student, teacher):
        for row in range(BATCH):
            length = int(mask[row].sum())
            for head in range(heads):
                found = []
                for vectors in (ours, theirs):
                    size = vectors.shape[-1] // heads
                    a = vectors[row, :length, head * size : (head + 1) * size]
                    found.append(torch.softmax(a @ a.T / sqrt(size), -1))
                own, target = found
                total = total + (target * (target.log() - own.log())).sum()
    return total / (heads * mask.sum())


def gradients(loss: Tensor, student: Projected) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, list(student))


@pytest.mark.parametrize("heads", [1, 2, 4, 8])
@pytest.mark.parametrize("mask", [MASK, torch.ones_like(MASK)], ids=["padded", "whole"])
def test_value_and_gradient_are_those_of_the_paper_s_equations(heads: int, mask: Tensor) -> None:
    student, teacher = projected(STUDENT, 1, grad=True), projected(TEACHER, 2)
    loss, expected = relation_loss(student, teacher, heads, mask), written_out(student, teacher, heads, mask)
    torch.testing.assert_close(loss, expected)
    for ours, by_hand in zip(gradients(3 * loss, student), gradients(3 * expected, student)):
        torch.testing.assert_close(ours, by_hand)


def test_no_mask_means_no_padding() -> None:
    student, teacher = projected(STUDENT, 1), projected(TEACHER, 2)
    whole = relation_loss(student, teacher, HEADS, torch.ones_like(MASK))
    torch.testing.assert_close(relation_loss(student, teacher, HEADS), whole)


@pytest.mark.parametrize("at_once", [1, 2 * TOKENS**2, 5 * TOKENS**2])
def test_relations_in_parts_are_those_at_once(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    student, teacher = projected(STUDENT, 1, grad=True), projected(TEACHER, 2)
    whole = relation_loss(student, teacher, HEADS, MASK)
    monkeypatch.setattr(relations, "_AT_ONCE", at_once)
    parts = relation_loss(student, teacher, HEADS, MASK)
    torch.testing.assert_close(parts, whole)
    for first, second in zip(gradients(parts, student), gradients(whole, student)):
        torch.testing.assert_close(first, second)


def test_no_relation_is_kept_for_the_backward_pass() -> None:
    """Autograd saves tensors of the inputs' size only, none of tokens by tokens."""
    saved: list[tuple[int, ...]] = []

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tuple(tensor.shape))
        return tensor

    student, teacher = projected(STUDENT, 1, grad=True), projected(TEACHER, 2)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        relation_loss(student, teacher, HEADS, MASK).backward()
    assert saved and all(shape[-1] != TOKENS for shape in saved)


def test_padding_has_no_say_in_value_or_gradient() -> None:
    found = []
    for filler in (0.0, 1e30, float("inf")):
        student, teacher = projected(STUDENT, 1), projected(TEACHER, 2)
        for tensor in (*student, *teacher):
            tensor[MASK == 0] = filler
        student = Projected(*(tensor.requires_grad_() for tensor in student))
        loss = relation_loss(student, teacher, HEADS, MASK)
        found.append((loss.detach(), *gradients(loss, student)))
        assert all(not gradient[MASK == 0].any() for gradient in found[-1][1:])
    for others in found[1:]:
        for first, other in zip(found[0], others):
            torch.testing.assert_close(first, other)


def test_the_teacher_gets_no_gradient() -> None:
    student, teacher = projected(STUDENT, 1, grad=True), projected(TEACHER, 2, grad=True)
    relation_loss(student, teacher, HEADS, MASK).backward()
    assert all(tensor.grad is not None and tensor.grad.any() for tensor in student)
    assert all(tensor.grad is None for tensor in teacher)


def test_a_student_with_the_teacher_s_projections_costs_nothing() -> None:
    teacher = projected(TEACHER, 2)
    assert relation_loss(teacher, teacher, HEADS, MASK).abs() < 1e-6


def test_loss_and_gradient_stay_finite_where_relations_are_certain() -> None:
    student, teacher = projected(STUDENT, 1, scale=100.0, grad=True), projected(TEACHER, 2, scale=100.0)
    loss = relation_loss(student, teacher, HEADS, MASK)
    assert loss.isfinite() and all(gradient.isfinite().all() for gradient in gradients(loss, student))


def test_under_autocast_and_in_half_precision_the_loss_is_computed_in_float32() -> None:
    student, teacher = projected(STUDENT, 1, grad=True), projected(TEACHER, 2)
    expected = relation_loss(student, teacher, HEADS, MASK)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(relation_loss(student, teacher, HEADS, MASK), expected)
    half = Projected(*(tensor.bfloat16() for tensor in student))
    assert relation_loss(half, teacher, HEADS, MASK).dtype == torch.float32


def test_heads_that_do_not_divide_a_width_are_refused() -> None:
    with pytest.raises(ValueError, match="3 relation heads do not divide the student's width 8"):
        relation_loss(projected(STUDENT, 1), projected(TEACHER, 2), 3)
    with pytest.raises(BadInput, match=r"distillation\.heads: expected .*, got 48 for width 100, 40"):
        check_relation_heads(48, [100, 96, 40], "distillation.heads")
    check_relation_heads(48, [384, 768], "distillation.heads")


def test_a_batch_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="without any token"):
        relation_loss(projected(STUDENT, 1), projected(TEACHER, 2), HEADS, torch.zeros_like(MASK))
