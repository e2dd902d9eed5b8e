"""The two optimisers that share a training step.

The word table is by far the largest tensor of a small student, yet a batch touches a hundredth of its rows. Its
gradient is sparse (see `quick_steps`), and only those rows are updated, as by `torch.optim.SparseAdam`: Adam, except
that the moments of rows outside the batch stay as they are. Fused AdamW updates everything else.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


class RowAdam(torch.optim.SparseAdam):
    """torch's SparseAdam to the bit, and quicker: rows are read and written by number, never as sparse tensors."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Updates the rows that the gradients hold."""
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._update(table, group)

    def _update(self, table: Tensor, group: dict[str, Any]) -> None:
        grad = table.grad.coalesce()  # type: ignore[union-attr]
        rows, values, state, (beta1, beta2) = grad.indices()[0], grad.values(), self.state[table], group["betas"]
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(table), exp_avg_sq=torch.zeros_like(table))
        state["step"] += 1
        mean, square = state["exp_avg"][rows], state["exp_avg_sq"][rows]
        mean = values.sub(mean).mul_(1 - beta1).add_(mean)
        square = values.pow(2).sub_(square).mul_(1 - beta2).add_(square)
        state["exp_avg"].index_copy_(0, rows, mean)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        size = group["lr"] * math.sqrt(1 - beta2 ** state["step"]) / (1 - beta1 ** state["step"])
        table.index_add_(0, rows, -size * mean.div_(square.sqrt_().add_(group["eps"])))


class Optimisers:
    """Fused AdamW for dense parameters and `RowAdam` for the word table, clipped by their common norm."""

    def __init__(
        self, model: PreTrainedModel, extra: tuple[nn.Parameter, ...], *, weight_decay: float, clip_norm: float
    ) -> None:
        word = model.get_input_embeddings()
        self.sparse: list[nn.Parameter] = [word.weight] if getattr(word, "sparse", False) else []
        decayed, plain = decay_groups(model, extra)
        plain = [parameter for parameter in plain if not any(parameter is table for table in self.sparse)]
        self.dense = [*decayed, *plain]
        groups = [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        self.clip_norm = clip_norm
        self.optimisers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, fused=True)]
        if self.sparse:
            self.optimisers.append(RowAdam(self.sparse))

    def step(self, rate: float) -> Tensor:
        """One update at a learning rate; returns the norm of the gradient before clipping."""
        sparse = []
        for parameter in self.sparse:
            if parameter.grad is not None:
                parameter.grad = parameter.grad.coalesce()
                sparse.append(parameter.grad.values())
        dense = [parameter for parameter in self.dense if parameter.grad is not None]
        norm = nn.utils.get_total_norm([*(p.grad for p in dense if p.grad is not None), *sparse])
        nn.utils.clip_grads_with_norm_(dense, self.clip_norm, norm)
        for values in sparse:
            values.mul_((self.clip_norm / (norm + 1e-6)).clamp(max=1.0))  # as torch clips the others
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad()
        return norm


def decay_groups(
    model: PreTrainedModel, extra: tuple[nn.Parameter, ...]
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters with weight decay (matrices) and without.

    Norms and biases do not decay, as in BERT. Tables do not either: a row that the task never shows would lose its
    inherited values.
    """
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for parameter in (*model.parameters(), *extra):
        if parameter.requires_grad:
            (plain if parameter.ndim < 2 or id(parameter) in tables else decayed).append(parameter)
    return decayed, plain
