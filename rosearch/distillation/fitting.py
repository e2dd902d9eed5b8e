"""The training loop: of students that are distilled, and of teachers that are fine-tuned.

Two optimisers share a step. The word table is by far the largest tensor of a small student, yet a batch
touches a hundredth of its rows: its gradient is kept sparse and only those rows are updated
(`torch.optim.SparseAdam`: Adam, but the moments of rows that a batch does not show stay as they are).
Everything else is updated by fused AdamW.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.data.batches import Batch, batch_count, training_batches
from rosearch.data.encoding import EncodedSplit
from rosearch.distillation.device import Precision, autocast, resolve_precision
from rosearch.distillation.dropout import byte_dropout
from rosearch.errors import CandidateFailed
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.records.measurements import Training

_CHECK_EVERY = 20  # steps between looks at the losses: each look makes a GPU wait
_RUNAWAY = 1000.0  # a loss so many times its first value (at least 1) will not come back
_SPARSE_ROWS = 4096  # smaller tables are not worth a second optimiser


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: linear warm-up over a share of the steps, then linear decay to 0."""

    epochs: float
    max_steps: int | None
    batch_size: int
    learning_rate: float
    warmup_share: float
    weight_decay: float
    clip_norm: float
    precision: str  # auto, float32 or bfloat16

    def steps(self, rows: int) -> int:
        """Optimiser steps over so many rows, at least one."""
        steps = max(1, math.ceil(self.epochs * batch_count(rows, self.batch_size)))
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0; never 0 at the first nor at the last."""
        warmup = math.ceil(self.warmup_share * steps)
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        return self.learning_rate * (steps - step) / (steps - warmup)


def fit(
    model: PreTrainedModel,
    losses: Callable[[Batch], Iterable[Tensor]],
    encoded: EncodedSplit,
    schedule: Schedule,
    *,
    device: torch.device,
    seed: int,
    stage: str,
    progress: Progress = silent,
    extra: tuple[nn.Parameter, ...] = (),
    before_step: Callable[[int], None] | None = None,
) -> Training:
    """Minimises the sum of `losses` of the batches of `encoded` over the model's parameters and the `extra` ones.

    Each part is propagated back before the next is asked for. `before_step` is called before each step with its
    number, and what it draws are the training's random numbers.

    Raises `CandidateFailed("nan", stage=stage)` where the loss becomes non-finite or runs away.
    """
    precision = resolve_precision(device, schedule.precision)
    steps = schedule.steps(len(encoded))
    model.to(device).train()
    watch = _Watch(stage)
    rows = 0
    generator = private_generator(device, derive_seed(seed, "dropout"))
    with generator, _sparse_word_table(model), byte_dropout(model, device):
        optimisers = _Optimisers(model, extra, schedule)
        batches = _batches(encoded, schedule.batch_size, seed)
        progress(stage, 0, steps)
        for step in range(steps):
            if before_step is not None:
                before_step(step)
            batch = next(batches).to(device)
            value = _propagate(losses(batch), device, precision)
            norm = optimisers.step(schedule.rate(step, steps))
            watch.note(value, norm)
            rows += len(batch)
            if (step + 1) % _CHECK_EVERY == 0 or step + 1 == steps:
                watch.look()
                progress(stage, step + 1, steps)
    model.eval()
    return Training(steps, rows, watch.final_loss(), precision)


def _propagate(parts: Iterable[Tensor], device: torch.device, precision: Precision) -> Tensor:
    """The sum of all parts, each propagated back and freed before the next is computed."""
    total = torch.zeros((), device=device)
    waiting = iter(parts)
    while True:
        with autocast(device, precision, training=True):
            part = next(waiting, None)
        if part is None:
            return total
        part.backward()  # type: ignore[no-untyped-call]
        total += part.detach()


def _batches(encoded: EncodedSplit, batch_size: int, seed: int) -> Iterator[Batch]:
    for epoch in count():
        yield from training_batches(encoded, batch_size, seed, epoch)


class _Optimisers:
    """Fused AdamW for what is dense and SparseAdam for the word table, clipped by their common norm."""

    def __init__(self, model: PreTrainedModel, extra: tuple[nn.Parameter, ...], schedule: Schedule) -> None:
        word = model.get_input_embeddings()
        self.sparse: list[nn.Parameter] = [word.weight] if getattr(word, "sparse", False) else []
        decayed, plain = _decay_groups(model, extra)
        plain = [parameter for parameter in plain if not any(parameter is table for table in self.sparse)]
        self.dense = [*decayed, *plain]
        groups = [
            {"params": decayed, "weight_decay": schedule.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        self.clip_norm = schedule.clip_norm
        self.optimisers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, fused=True)]
        if self.sparse:
            self.optimisers.append(torch.optim.SparseAdam(self.sparse))

    def step(self, rate: float) -> Tensor:
        """One update at a learning rate; gives the gradient's norm before it was clipped."""
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


def _decay_groups(
    model: PreTrainedModel, extra: tuple[nn.Parameter, ...]
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """What decays (matrices) and what does not: norms and biases as in BERT; and tables, because a row that
    the task never shows would lose what it inherited.
    """
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for parameter in (*model.parameters(), *extra):
        if parameter.requires_grad:
            (plain if parameter.ndim < 2 or id(parameter) in tables else decayed).append(parameter)
    return decayed, plain


@contextmanager
def _sparse_word_table(model: PreTrainedModel) -> Iterator[None]:
    """The word table's gradient is sparse inside; a table that another module shares is left alone."""
    word = model.get_input_embeddings()
    if not isinstance(word, nn.Embedding) or word.num_embeddings < _SPARSE_ROWS:
        yield
        return
    users = sum(parameter is word.weight for _, parameter in model.named_parameters(remove_duplicate=False))
    before = word.sparse
    word.sparse = users == 1 and word.weight.requires_grad
    try:
        yield
    finally:
        word.sparse = before


@contextmanager
def private_generator(device: torch.device, seed: int) -> Iterator[None]:
    """Torch's random numbers inside follow from the seed; outside nothing has happened."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        yield


class _Watch:
    """Collects losses without making the device wait, and stops a training that diverges."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.losses: list[float] = []
        self._pending: list[Tensor] = []

    def note(self, loss: Tensor, norm: Tensor) -> None:
        """A finite loss with a gradient that is not finite counts as not finite: the weights are lost."""
        self._pending.append(torch.where(norm.isfinite(), loss, norm))

    def look(self) -> None:
        """Raises `CandidateFailed` where one of the losses since the last look was no good."""
        for value in torch.stack(self._pending).tolist():
            self.losses.append(value)
            if not math.isfinite(value) or abs(value) > _RUNAWAY * max(1.0, abs(self.losses[0])):
                message = f"the loss is {value:.4g} at step {len(self.losses)} (first {self.losses[0]:.4g})"
                raise CandidateFailed("nan", f"{message}: try a lower learning rate", self.stage)
        self._pending.clear()

    def final_loss(self) -> float:
        """The mean over the last tenth of the steps."""
        last = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(last) / len(last)
