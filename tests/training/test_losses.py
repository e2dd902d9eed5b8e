from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from rosearch.training.losses import hard_label_loss, hidden_state_loss, soft_label_loss, symmetric_loss


def draw(*shape: int, seed: int = 0, scale: float = 3.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


@given(temperature=st.floats(0.5, 20.0), rows=st.integers(1, 7), labels=st.integers(2, 5), seed=st.integers(0, 99))
def test_soft_labels_cost_tau_squared_times_the_kl_divergence(
    temperature: float, rows: int, labels: int, seed: int
) -> None:
    student, teacher = draw(rows, labels, seed=seed), draw(rows, labels, seed=seed + 100)
    p = F.softmax(teacher / temperature, -1)
    q = F.softmax(student / temperature, -1)
    by_hand = temperature**2 * (p * (p.log() - q.log())).sum(-1).mean()
    by_torch = temperature**2 * F.kl_div(q.log(), p, reduction="batchmean")
    loss = soft_label_loss(student, teacher, "classification", temperature)
    rounding = 1e-6 * temperature**2  # of single-precision logarithms, before they are scaled up
    torch.testing.assert_close(loss, by_torch, rtol=1e-4, atol=rounding)
    torch.testing.assert_close(loss, by_hand, rtol=1e-4, atol=rounding)


def test_soft_labels_cost_nothing_where_the_student_agrees_up_to_a_constant() -> None:
    teacher = draw(5, 3)
    assert soft_label_loss(teacher + 7.0, teacher, "classification", 2.0).abs() < 1e-6


def test_tau_squared_keeps_the_gradient_near_its_high_temperature_limit() -> None:
    """Hinton et al., section 2.1: for logits of zero mean and a large tau, the gradient is (z - v) / N."""
    teacher = draw(1, 4, seed=1)
    teacher -= teacher.mean()
    student = draw(1, 4, seed=2)
    student = (student - student.mean()).requires_grad_()
    (gradient,) = torch.autograd.grad(soft_label_loss(student, teacher, "classification", 1000.0), student)
    torch.testing.assert_close(gradient, (student - teacher).detach() / 4, rtol=2e-2, atol=2e-2)


def test_soft_labels_stay_finite_where_the_teacher_is_certain() -> None:
    teacher = torch.tensor([[200.0, -200.0]])
    student = torch.tensor([[-200.0, 200.0]], requires_grad=True)
    loss = soft_label_loss(student, teacher, "classification", 1.0)
    loss.backward()
    assert loss.item() == pytest.approx(400.0)
    assert student.grad is not None and student.grad.isfinite().all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_smoothed_targets_are_spread_evenly_over_all_classes(smoothing: float) -> None:
    student, teacher, labels = draw(6, 3), draw(6, 3, seed=1), torch.tensor([0, 1, 2, 2, 1, 0])
    p, q = F.softmax(teacher / 2, -1), F.softmax(student / 2, -1)
    target = (1 - smoothing) * p + smoothing / 3
    by_hand = 4 * (target * (target.log() - q.log())).sum(-1).mean()
    torch.testing.assert_close(soft_label_loss(student, teacher, "classification", 2.0, smoothing), by_hand)
    target = (1 - smoothing) * F.one_hot(labels, 3) + smoothing / 3
    each = -(target * F.log_softmax(student, -1)).sum(-1)
    torch.testing.assert_close(hard_label_loss(student, labels, "classification", None, smoothing), each.mean())
    weights = torch.tensor([1.0, 2.0, 5.0])
    weighed = (weights[labels] * each).mean()
    torch.testing.assert_close(hard_label_loss(student, labels, "classification", weights, smoothing), weighed)


def test_smoothed_targets_stay_finite_where_the_teacher_is_certain() -> None:
    student = torch.tensor([[-200.0, 200.0]], requires_grad=True)
    soft_label_loss(student, torch.tensor([[200.0, -200.0]]), "classification", 1.0, 0.1).backward()
    assert student.grad is not None and student.grad.isfinite().all()


def test_regression_matches_scores_by_squared_error() -> None:
    student, teacher, labels = draw(6, 1), draw(6, 1, seed=1), draw(6, seed=2)
    torch.testing.assert_close(soft_label_loss(student, teacher, "regression", 5.0), ((student - teacher) ** 2).mean())
    torch.testing.assert_close(hard_label_loss(student, labels, "regression"), ((student[:, 0] - labels) ** 2).mean())


def test_hard_labels_cost_the_cross_entropy() -> None:
    student, labels = draw(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    by_hand = -F.log_softmax(student, -1)[torch.arange(6), labels].mean()
    torch.testing.assert_close(hard_label_loss(student, labels, "classification"), by_hand)


def test_weights_of_classes_count_rows_and_parts_of_a_batch_add_up() -> None:
    student, labels, weights = torch.randn(6, 3), torch.tensor([0, 2, 1, 1, 0, 2]), torch.tensor([0.5, 1.0, 4.0])
    own = -student.log_softmax(-1)[torch.arange(6), labels] * weights[labels]
    whole = hard_label_loss(student, labels, "classification", weights)
    torch.testing.assert_close(whole, own.sum() / 6)
    halves = [
        hard_label_loss(student[half], labels[half], "classification", weights) for half in ([0, 1, 2], [3, 4, 5])
    ]
    torch.testing.assert_close(sum(halves) / 2, whole)
    torch.testing.assert_close(hard_label_loss(student[:1], labels[:1], "classification", weights), own[0])


def test_hidden_states_are_compared_on_real_tokens_only() -> None:
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    student, targets = draw(2, 3, 4), draw(4, 5, seed=1)
    probe = nn.Linear(4, 5)
    real = torch.stack([student[0, 0], student[0, 1], student[0, 2], student[1, 0]])
    expected = ((probe(real) - targets) ** 2).mean()
    torch.testing.assert_close(hidden_state_loss(student, targets, mask, probe), expected)
    student[1, 1:] = 1e6  # the values at padding change nothing
    torch.testing.assert_close(hidden_state_loss(student, targets, mask, probe), expected)


def test_losses_are_float32_on_bfloat16_logits() -> None:
    student, teacher = draw(4, 2).bfloat16(), draw(4, 2, seed=1)
    labels = torch.tensor([0, 1, 1, 0])
    for loss in (
        soft_label_loss(student, teacher, "classification", 2.0),
        hard_label_loss(student, labels, "classification"),
    ):
        assert loss.dtype == torch.float32
        assert math.isfinite(loss.item())


def test_the_symmetric_loss_is_the_mean_of_both_divergences() -> None:
    one, other = draw(4, 3), draw(4, 3, seed=1)
    p, q = one.softmax(-1), other.softmax(-1)
    by_hand = ((p - q) * (p.log() - q.log())).sum(-1).mean() / 2
    torch.testing.assert_close(symmetric_loss(one, other, "classification"), by_hand)
    torch.testing.assert_close(symmetric_loss(other, one, "classification"), by_hand)


def test_the_symmetric_loss_of_no_rows_is_zero_with_a_gradient() -> None:
    none = torch.zeros(0, 3, requires_grad=True)
    loss = symmetric_loss(none, none.detach(), "classification")
    loss.backward()
    assert loss.item() == 0.0
