"""Small perturbations of input embeddings that make a loss large, found by gradient ascent.

The step is FreeLB's (arXiv 1909.11764: the gradient divided by the L2 norm of its row, then a projection on a ball) or
SMART's (arXiv 1911.03437: divided by the largest component of its token). B is the batch, T the tokens, R the width of
the word table.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rosearch.config.ad2 import Norm

_LEAST = {"row": 1e-8, "token": 1e-6}  # added to a gradient's norm against division by zero, as published


def embed(model: PreTrainedModel, input_ids: Tensor) -> Tensor:
    """The word embeddings (B, T, R) of ids (B, T), which the model takes as `inputs_embeds` in place of the ids."""
    words: Tensor = model.get_input_embeddings()(input_ids)
    return words


def with_embeddings(inputs: dict[str, Tensor], embeddings: Tensor) -> dict[str, Tensor]:
    """A model's inputs by name, with embeddings (B, T, R) in place of the ids."""
    return {**{name: value for name, value in inputs.items() if name != "input_ids"}, "inputs_embeds": embeddings}


def random_start(mask: Tensor, width: int, size: float, norm: Norm) -> Tensor:
    """A normal perturbation (B, T, width), float32, zero where `mask` (B, T) is false; drawn from torch's generator.

    `row`: the expected squared norm of each row is `size`^2, whatever its length (as in FreeLB's code, which draws
    uniformly). `token`: the standard deviation of each component is `size`. Numbers are drawn only where `mask`
    is True, so padding changes none.
    """
    start = torch.zeros(*mask.shape, width, device=mask.device)
    start[mask] = torch.randn(int(mask.sum()), width, device=mask.device)
    if norm == "row":
        return start * (size / (mask.sum(1).clamp(min=1) * width).sqrt()).view(-1, 1, 1)
    return start * size


def ascend(
    loss_of: Callable[[Tensor], Tensor],
    start: Tensor,
    mask: Tensor,
    steps: int,
    step_size: float,
    norm: Norm,
    bound: float | None,
) -> Tensor:
    """Repeats delta <- project(delta + step_size g / |g|), where g is the gradient of `loss_of` at delta.

    Args:
        loss_of: a perturbation (B, T, R) to a scalar; the perturbation of one row must not influence another row.
        start: (B, T, R), the first delta.
        mask: (B, T), False where the perturbation stays zero.
        steps: number of repetitions; each is one forward and backward pass of `loss_of`.
        step_size: in the norm `norm`.
        norm: `row`, the L2 norm of a row, or `token`, the largest component of a token.
        bound: the largest norm after a step; None for no projection.

    Returns delta, float32 and detached. The arithmetic is float32 whatever `loss_of` runs in. The gradients of
    parameters are not touched. A row whose gradient is not finite takes no step.
    """
    keep = mask.unsqueeze(-1)
    delta = start.detach().float() * keep
    for _ in range(steps):
        with torch.enable_grad():
            delta.requires_grad_()
            (gradient,) = torch.autograd.grad(loss_of(delta), delta)
        with torch.no_grad():
            gradient = gradient.float() * keep
            step = step_size * gradient / (_size(gradient, norm) + _LEAST[norm])
            finite = step.isfinite().flatten(1).all(1).view(-1, 1, 1)
            delta = project(torch.where(finite, delta + step, delta), norm, bound)
    return delta.detach()


def project(delta: Tensor, norm: Norm, bound: float | None) -> Tensor:
    """The nearest perturbation (B, T, R) whose norm (of rows, or of tokens) is at most `bound`; None: delta itself."""
    if bound is None:
        return delta
    if norm == "token":
        return delta.clamp(-bound, bound)
    return delta * (bound / _size(delta, norm).clamp(min=bound))


def _size(delta: Tensor, norm: Norm) -> Tensor:
    """(B, T, R) -> (B, 1, 1) L2 norms of rows, or (B, T, 1) largest components of tokens."""
    if norm == "row":
        return delta.square().sum((1, 2), keepdim=True).sqrt()
    return delta.abs().amax(-1, keepdim=True)
