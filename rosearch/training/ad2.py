"""AD^2: distillation on input embeddings that are moved to where student and teacher differ most.

Adversarial Data Augmentation for Task-Specific Knowledge Distillation of Pre-trained Transformers (Zhang et al.,
AAAI 2022, doi 10.1609/aaai.v36i10.21423). The paper publishes the idea. Equations and sizes are ours or those of peers;
docs/methods/ad2.md lists each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rosearch.data.batches import Batch
from rosearch.training.kd import LabelLoss
from rosearch.training.losses import soft_label_loss
from rosearch.training.method import Method, TrainingInputs
from rosearch.training.outputs import TeacherRows
from rosearch.training.perturbation import ascend, embed, random_start, with_embeddings


class AdversarialDistillation(Method):
    """loss = loss of `kd` + weight D(teacher(x), student(E(x) + delta)), with delta such that D is large.

    D is tau^2 KL for classes, the mean squared error for scores. The teacher never sees a perturbed input: its outputs
    for the clean rows are computed once.
    """

    special: Tensor

    def __init__(self, label_loss: LabelLoss, special: Sequence[int]) -> None:
        """`special` lists the token ids whose embeddings are not moved."""
        super().__init__()
        self.label_loss = label_loss
        self.config = label_loss.config
        self.problem = label_loss.problem
        self.register_buffer("special", torch.tensor(list(special), dtype=torch.int64), persistent=False)

    @classmethod
    def make(cls, inputs: TrainingInputs, student: PreTrainedModel) -> Self:
        """The method; it has no parameters of its own."""
        tokenizer, config = inputs.tokenizer, inputs.config
        special = set() if config.ad2.perturb_special else set(tokenizer.all_special_ids)
        special.discard(tokenizer.unk_token_id)  # it stands for a word
        return cls(LabelLoss.of(inputs), sorted(special))

    def losses(self, student: PreTrainedModel, batch: Batch, teacher: TeacherRows) -> Iterator[Tensor]:
        """See the class. The student runs on the clean rows, `steps` times to find delta, and on the moved rows."""
        yield self.label_loss(student(**batch.inputs).logits, batch, teacher)
        words = embed(student, batch.input_ids)
        moved = words + self.perturbation(student, words.detach(), batch, teacher)
        logits = student(**with_embeddings(batch.inputs, moved)).logits
        yield self.config.ad2.weight * self.label_loss.soft(logits, teacher.logits)

    def perturbation(self, student: PreTrainedModel, words: Tensor, batch: Batch, teacher: TeacherRows) -> Tensor:
        """delta (B, T, R) for word embeddings of that shape; zero on padding and on tokens that are not moved."""
        sizes = self.config.ad2.sizes
        mask = batch.attention_mask.bool() & ~torch.isin(batch.input_ids, self.special)

        def loss_of(delta: Tensor) -> Tensor:
            # Summed over rows, so that the gradient of a row does not depend on their number.
            return len(batch) * self._divergence(student, words + delta, batch, teacher)

        start = random_start(mask, words.shape[-1], sizes.start, sizes.norm)
        return ascend(loss_of, start, mask, sizes.steps, sizes.step_size, sizes.norm, sizes.bound)

    def _divergence(self, student: PreTrainedModel, words: Tensor, batch: Batch, teacher: TeacherRows) -> Tensor:
        logits = student(**with_embeddings(batch.inputs, words)).logits
        return soft_label_loss(logits, teacher.logits, self.problem, self.config.temperature)
