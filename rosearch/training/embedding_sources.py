"""Sources of perturbed input embeddings for robust distillation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rosearch.data.batches import Batch
from rosearch.training.losses import soft_label_loss
from rosearch.training.method import TrainingInputs
from rosearch.training.outputs import TeacherRows
from rosearch.training.perturbation import ascend, embed, random_start, with_embeddings
from rosearch.training.text_sources import WORD

EmbeddingSource = Callable[[PreTrainedModel, Batch, TeacherRows, float], dict[str, Any]]
"""From a student, a batch, the teacher's clean outputs and a strength of 0 to 1 to the student's model inputs."""

_BALL_STEPS = 2
_HULL_WORDS = 8  # most synonyms of a word
_HULL_STEP = 10.0  # step size on the softmax's arguments, along normalised gradients (ASCC's Adam rate, rounded)


def ball(inputs: TrainingInputs, student: PreTrainedModel) -> EmbeddingSource:
    """Worst cases in a ball around the input embeddings: AD^2's perturbation in two steps, of L2 norm <= `epsilon`."""
    config = inputs.config.robust_kd
    special = torch.tensor(inputs.tokenizer.all_special_ids, device=inputs.device)

    def perturbed(student: PreTrainedModel, batch: Batch, teacher: TeacherRows, strength: float) -> dict[str, Any]:
        mask = batch.attention_mask.bool() & ~torch.isin(batch.input_ids, special)
        words, bound = embed(student, batch.input_ids), config.epsilon * strength
        fixed = words.detach()

        def loss_of(delta: Tensor) -> Tensor:
            logits = student(**with_embeddings(batch.inputs, fixed + delta)).logits
            return soft_label_loss(logits, teacher.logits, inputs.problem, inputs.config.temperature) * len(logits)

        start = random_start(mask, words.shape[-1], bound / 2, "row")
        return with_embeddings(batch.inputs, words + ascend(loss_of, start, mask, _BALL_STEPS, bound / 2, "row", bound))

    return perturbed


def hull(inputs: TrainingInputs, student: PreTrainedModel) -> EmbeddingSource:
    """Worst cases in the convex hull of each word's synonyms (ASCC: Dong et al. 2021, arXiv 2107.13541).

    A word of one piece becomes sum_j w_j E[synonym_j] with w = softmax(a), and a ascends the divergence from the
    teacher's clean outputs. The synonyms are the word itself and its counter-fitted neighbours of one piece.
    """
    table = _hull_table(inputs).to(inputs.device)
    steps = inputs.config.robust_kd.hull_steps

    def perturbed(student: PreTrainedModel, batch: Batch, teacher: TeacherRows, strength: float) -> dict[str, Any]:
        corners_ids = table[batch.input_ids]  # (B, T, 1 + synonyms), filled up with the word itself
        flat = corners_ids.flatten(0, 1)
        with torch.no_grad():
            corners = embed(student, flat).view(*corners_ids.shape, -1).float()
        # Repeated corners (the word itself) share a weight, which is equivalent to one corner.
        chosen = torch.zeros(corners_ids.shape, device=corners.device)
        for _ in range(steps):
            chosen.requires_grad_(True)
            moved = (chosen.softmax(-1).unsqueeze(-1) * corners).sum(-2)
            logits = student(**with_embeddings(batch.inputs, moved)).logits
            loss = soft_label_loss(logits, teacher.logits, inputs.problem, inputs.config.temperature)
            (gradient,) = torch.autograd.grad(loss, chosen)
            norm = gradient.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
            chosen = (chosen + strength * _HULL_STEP * gradient / norm).detach()
        weights = chosen.softmax(-1).unsqueeze(-1)
        corners = embed(student, flat).view(*corners_ids.shape, -1)  # with a gradient for the word table
        return with_embeddings(batch.inputs, (weights * corners).sum(-2))

    return perturbed


def _hull_table(inputs: TrainingInputs) -> Tensor:
    """(vocabulary, 1 + synonyms) ids: each piece, then its synonyms of one piece, filled up with the piece itself."""
    resources = inputs.lists
    resources.require(["neighbours"], "distillation.robust_kd.sources: hull")
    lists, vocabulary = resources.neighbours(), inputs.tokenizer.get_vocab()
    table = torch.arange(len(inputs.tokenizer)).unsqueeze(1).repeat(1, 1 + _HULL_WORDS)
    for piece, index in vocabulary.items():
        if WORD.fullmatch(piece):
            found = [vocabulary[other] for other in lists.of(piece, _HULL_WORDS) if other in vocabulary]
            table[index, 1 : 1 + len(found)] = torch.tensor(found, dtype=torch.int64)
    return table


EMBEDDING_SOURCES: dict[str, Callable[[TrainingInputs, PreTrainedModel], EmbeddingSource]] = {
    "embeddings": ball,
    "hull": hull,
}
