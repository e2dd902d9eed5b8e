"""Losses between a student and its teacher or its labels. All give float32, whatever the forward pass ran in.

Sources: soft labels with temperature, Hinton et al. 2015 (arXiv 1503.02531); hidden states through a linear map,
FitNets (arXiv 1412.6550) and TinyBERT (arXiv 1909.10351).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def soft_label_loss(
    student: Tensor, teacher: Tensor, problem: str, temperature: float, smoothing: float = 0.0
) -> Tensor:
    """The loss of the student's logits (B, labels) against the teacher's; a float32 scalar, the mean over the rows.

    Classification: tau^2 KL(softmax(teacher / tau) || softmax(student / tau)); tau^2 keeps the size of the gradient
    when the temperature changes (Hinton et al. 2015). With `smoothing` e the target is
    (1 - e) softmax(teacher / tau) + e / labels. Regression: mean squared error.
    """
    student, teacher = student.float(), teacher.float()
    if problem == "regression":
        return F.mse_loss(student, teacher)
    log_student = F.log_softmax(student / temperature, dim=-1)
    log_teacher = F.log_softmax(teacher / temperature, dim=-1)
    if smoothing:
        log_teacher = ((1 - smoothing) * log_teacher.exp() + smoothing / log_teacher.shape[-1]).log()
    divergence = F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2


def hard_label_loss(
    student: Tensor, labels: Tensor, problem: str, weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Loss of the student's logits (B, labels) against the data (B,): cross-entropy, or squared error for scores.

    `weights` (labels,) are those of the classes. The mean is over rows and not over weights, unlike torch's: a batch
    of one class counts as that class does, and parts of a batch add up to it. `smoothing` is the part of a target that
    is spread evenly over all classes (Szegedy et al. 2016, arXiv 1512.00567).
    """
    if problem == "regression":
        return F.mse_loss(student.float().squeeze(-1), labels.float())
    if weights is None:
        return F.cross_entropy(student.float(), labels, label_smoothing=smoothing)
    each = F.cross_entropy(student.float(), labels, reduction="none", label_smoothing=smoothing)
    return (weights[labels] * each).mean()


def hidden_state_loss(student: Tensor, teacher: Tensor, mask: Tensor, projection: nn.Module) -> Tensor:
    """Mean squared error between the projected student states and the teacher's, over real tokens only; float32.

    `student` is (B, T, W) and `mask` (B, T), non-zero on tokens. `teacher` holds the N tokens of the mask, row after
    row, as (N, H). `projection` maps W to H. Padding counts neither in the sum nor in the number of tokens.
    """
    states = student[mask.bool()].float()
    return F.mse_loss(projection(states).float(), teacher.float())


def symmetric_loss(logits: Tensor, clean: Tensor, problem: str) -> Tensor:
    """The symmetric divergence of logits (B, labels) from `clean` ones, the mean over rows; 0 without rows.

    Classification: (KL(clean || logits) + KL(logits || clean)) / 2. Regression: squared error.
    """
    if not len(logits):
        return logits.float().sum() * 0.0
    return (_distances(logits, clean, problem) + _distances(clean, logits, problem)).mean() / 2


def _distances(logits: Tensor, targets: Tensor, problem: str) -> Tensor:
    """(B,): KL(targets || logits) of each row, or squared error for scores."""
    logits, targets = logits.float(), targets.float()
    if problem == "regression":
        return (logits - targets).square().sum(-1)
    return F.kl_div(logits.log_softmax(-1), targets.log_softmax(-1), reduction="none", log_target=True).sum(-1)
