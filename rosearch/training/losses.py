"""What a student is asked to match. All take and give float32, whatever the forward pass ran in.

Sources: soft labels with temperature, Hinton et al. 2015 (arXiv 1503.02531), whose tau^2 keeps the gradient's
size when the temperature changes; hidden states through a linear map, FitNets (arXiv 1412.6550) and TinyBERT
(arXiv 1909.10351).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def soft_label_loss(student: Tensor, teacher: Tensor, problem: str, temperature: float) -> Tensor:
    """The student's logits (B, labels) against the teacher's, meaned over the rows.

    Classification: tau^2 KL(softmax(teacher / tau) || softmax(student / tau)). Regression: mean squared
    error.
    """
    student, teacher = student.float(), teacher.float()
    if problem == "regression":
        return F.mse_loss(student, teacher)
    log_student = F.log_softmax(student / temperature, dim=-1)
    log_teacher = F.log_softmax(teacher / temperature, dim=-1)
    divergence = F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2


def hard_label_loss(student: Tensor, labels: Tensor, problem: str) -> Tensor:
    """The student's logits (B, labels) against the data (B,): cross-entropy for classes, squared error for
    scores.
    """
    if problem == "regression":
        return F.mse_loss(student.float().squeeze(-1), labels.float())
    return F.cross_entropy(student.float(), labels)


def hidden_state_loss(student: Tensor, teacher: Tensor, mask: Tensor, projection: torch.nn.Module) -> Tensor:
    """Mean squared error between the projected student states and the teacher's, over real tokens alone.

    `student` is (B, T, W) and `mask` (B, T), non-zero on tokens; `teacher` holds the N tokens of the mask,
    row after row, as (N, H); `projection` maps W to H. Padding takes part neither in the sum nor in the
    count.
    """
    states = student[mask.bool()].float()
    return F.mse_loss(projection(states).float(), teacher.float())
