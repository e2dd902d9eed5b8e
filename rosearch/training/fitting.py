"""The training loop: of students that are distilled, and of teachers that are fine-tuned.

Two optimisers share a step. The word table is by far the largest tensor of a small student, yet a batch
touches a hundredth of its rows: its gradient is kept sparse and only those rows are updated
(`torch.optim.SparseAdam`: Adam, but the moments of rows that a batch does not show stay as they are).
Everything else is updated by fused AdamW.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, count, islice

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.data.batches import B, TrainingRows, batch_count
from rosearch.measurements import Training
from rosearch.models.device import Precision, autocast, resolve_precision
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.training.checkpoint import Checkpoint, State, saved
from rosearch.training.dropout import byte_dropout
from rosearch.training.watch import Watch

_CHECK_EVERY = 20  # steps between looks at the losses: each look makes a GPU wait
_SPARSE_ROWS = 4096  # smaller tables are not worth a second optimiser
_PASSING = ("_name_or_path", "transformers_version")  # keys of a configuration that no result follows from

OnLoss = Callable[[int, int, float], None]  # steps done, steps in all, mean loss of the last ones


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
    losses: Callable[[B], Iterable[Tensor]],
    rows: TrainingRows[B],
    schedule: Schedule,
    *,
    device: torch.device,
    seed: int,
    stage: str,
    progress: Progress = silent,
    method: nn.Module | None = None,
    extra: tuple[nn.Parameter, ...] = (),
    before_step: Callable[[int], None] | None = None,
    checkpoint: Checkpoint | None = None,
    on_loss: OnLoss | None = None,
) -> Training:
    """Minimises the sum of `losses` of the batches of `rows` over the model's parameters and the `extra` ones.

    Each part is propagated back before the next is asked for. `before_step` is called before each step with its
    number, and what it draws are the training's random numbers. With a `checkpoint` it goes on where an equal
    training was stopped, to the same bits; the state of `method` is kept with the model's. `on_loss` is told the
    mean loss since it was told last, every few steps.

    Raises `CandidateFailed("nan", stage=stage)` where the loss becomes non-finite or runs away, `RunError` where
    the checkpoint is of another training.
    """
    precision = resolve_precision(device, schedule.precision)
    steps = schedule.steps(len(rows))
    model.to(device).train()
    generator = private_generator(device, derive_seed(seed, "dropout"))
    with generator, _sparse_word_table(model), byte_dropout(model, device):
        run = _Run(model, method, _Optimisers(model, extra, schedule), Watch(stage), device)
        if checkpoint is not None:
            checkpoint = checkpoint.of(_content(model, rows.content, schedule, seed, device, precision))
            run.go_on(checkpoint, steps)
        progress(stage, run.step, steps)
        with saved(checkpoint, run.state) as after_step:
            for batch in _batches(rows, schedule.batch_size, seed, run.step, steps):
                if before_step is not None:
                    before_step(run.step)
                value = _propagate(losses(batch.to(device)), device, precision)
                run.advance(value, schedule.rate(run.step, steps), len(batch))
                if run.step % _CHECK_EVERY == 0 or run.step == steps:
                    run.tell(steps, progress, on_loss)
                after_step(run.step == steps)
    model.eval()
    return Training(steps, run.rows, run.watch.final_loss(), precision)


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


def _batches(rows: TrainingRows[B], batch_size: int, seed: int, first: int, steps: int) -> Iterator[B]:
    """The batches of the steps from `first` on; those before are not made."""
    epoch, skipped = divmod(first, batch_count(len(rows), batch_size))
    batches = rows.epoch(batch_size, seed, epoch, skipped)
    later = (rows.epoch(batch_size, seed, after) for after in count(epoch + 1))
    return islice(chain(batches, chain.from_iterable(later)), steps - first)


def _content(
    model: PreTrainedModel,
    data: str,
    schedule: Schedule,
    seed: int,
    device: torch.device,
    precision: Precision,
) -> dict[str, str]:
    """What the bits of a training's result follow from, beside its method and what the weights start from."""
    config = {name: value for name, value in model.config.to_dict().items() if name not in _PASSING}
    shapes = [(name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in model.state_dict().items()]
    return {
        **{name: str(value) for name, value in asdict(schedule).items()},
        "seed": str(seed),
        "data": data,
        "model": _digest(json.dumps([config, shapes], sort_keys=True, default=str).encode()),
        "device": device.type,
        "precision": precision,
    }


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class _Run:
    """A training between two steps."""

    def __init__(
        self,
        model: PreTrainedModel,
        method: nn.Module | None,
        optimisers: _Optimisers,
        watch: Watch,
        device: torch.device,
    ) -> None:
        self.modules: dict[str, nn.Module] = {"model": model} if method is None else {"model": model, "method": method}
        self.optimisers = optimisers
        self.watch = watch
        self.device = device
        self.step = 0
        self.rows = 0

    def advance(self, value: Tensor, rate: float, rows: int) -> None:
        """Ends a step whose loss was propagated back."""
        self.watch.note(value, self.optimisers.step(rate))
        self.step += 1
        self.rows += rows

    def tell(self, steps: int, progress: Progress, on_loss: OnLoss | None) -> None:
        """Looks at the losses, and says how far it is. Raises `CandidateFailed` as the watch does."""
        self.watch.look()
        if on_loss is not None:
            last = self.watch.losses[-_CHECK_EVERY:]
            on_loss(self.step, steps, sum(last) / len(last))
        progress(self.watch.stage, self.step, steps)

    def go_on(self, checkpoint: Checkpoint, steps: int) -> None:
        """Takes the state of a checkpoint, where there is one."""
        state = checkpoint.load(self.device)
        if state is None:
            return
        for name, module in self.modules.items():
            module.load_state_dict(state[name])
        for optimiser, kept in zip(self.optimisers.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self.step, self.rows, self.watch.losses = state["step"], state["rows"], state["losses"]
        torch.set_rng_state(state["random"].cpu())
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"].cpu(), self.device)
        checkpoint.note(f"goes on at step {self.step} of {steps}")

    def state(self) -> State:
        """What `go_on` takes. Raises `CandidateFailed` in place of a state whose losses are no good."""
        self.watch.look()
        return {
            **{name: module.state_dict() for name, module in self.modules.items()},
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers.optimisers],
            "step": self.step,
            "rows": self.rows,
            "losses": self.watch.losses,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }


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
