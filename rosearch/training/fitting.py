"""The training loop, for students that are distilled and teachers that are fine-tuned."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, count, islice
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.data.batches import B, TrainingRows, batch_count
from rosearch.errors import CandidateFailed
from rosearch.measurements import Training
from rosearch.models.device import Precision, autocast, resolve_precision
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.training.checkpoint import Checkpoint, State, saved
from rosearch.training.optimisers import Optimisers
from rosearch.training.quick_steps import byte_dropout, sparse_word_table

_CHECK_EVERY = 20  # steps between checks of the losses; each check makes a GPU wait
_PASSING = ("_name_or_path", "transformers_version")  # keys of a configuration without influence on results
_RUNAWAY = 1000.0  # a loss so many times its first value (at least 1) will not come back

OnLoss = Callable[[int, int, float], None]  # steps done, all steps, mean loss of the last steps


@dataclass(frozen=True)
class Schedule:
    """Length and learning rate: linear warm-up over a share of the steps, then linear decay to 0."""

    epochs: float
    max_steps: int | None
    batch_size: int
    learning_rate: float
    warmup_share: float
    weight_decay: float
    clip_norm: float
    precision: str  # auto, float32 or bfloat16

    def steps(self, rows: int) -> int:
        """Optimiser steps for so many rows, at least 1."""
        steps = max(1, math.ceil(self.epochs * batch_count(rows, self.batch_size)))
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0; it is above 0 at the first and the last step."""
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
    """Minimises the sum of `losses` over the batches of `rows`, in the model's parameters and the `extra` ones.

    Each part of a loss is propagated back before the next is computed. `before_step` is called before each step with
    its number; its random draws belong to the training. With a `checkpoint`, an equal training resumes where it stopped
    and gives the same bits; the state of `method` is saved with the model's. Where its checkpoint says so, it pauses
    before its end: the learning rate is that of the whole, so that all legs together are one training. Every few steps
    `on_loss` gets the mean loss since its last call.

    Raises `CandidateFailed("nan", stage=stage)` if the loss becomes non-finite or runs away, `RunError` if the
    checkpoint belongs to another training.
    """
    precision = resolve_precision(device, schedule.precision)
    steps = schedule.steps(len(rows))
    end = steps if checkpoint is None else checkpoint.last_step(steps)
    model.to(device).train()
    generator = private_generator(device, derive_seed(seed, "dropout"))
    with generator, sparse_word_table(model), byte_dropout(model, device):
        optimisers = Optimisers(model, extra, weight_decay=schedule.weight_decay, clip_norm=schedule.clip_norm)
        run = _Run(model, method, optimisers, Watch(stage), device)
        if checkpoint is not None:
            checkpoint = checkpoint.of(_content(model, rows.content, schedule, seed, device, precision))
            run.go_on(checkpoint, end)
        progress(stage, run.step, end)
        with saved(checkpoint, run.state) as after_step:
            for batch in _batches(rows, schedule.batch_size, seed, run.step, end):
                if before_step is not None:
                    before_step(run.step)
                value = _propagate(losses(batch.to(device)), device, precision)
                run.advance(value, schedule.rate(run.step, steps), len(batch))
                if run.step % _CHECK_EVERY == 0 or run.step == end:
                    run.tell(end, progress, on_loss)
                after_step(run.step == end)
    model.eval()
    return Training(run.step, run.rows, run.watch.final_loss(), precision)


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
    """The batches of the steps from `first` on; earlier ones are not built."""
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
    """Everything that decides the bits of a training's result, except its method and the initial weights."""
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
    """The state of a training between two steps."""

    def __init__(
        self,
        model: PreTrainedModel,
        method: nn.Module | None,
        optimisers: Optimisers,
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
        """Ends a step after the backward pass of its loss."""
        self.watch.note(value, self.optimisers.step(rate))
        self.step += 1
        self.rows += rows

    def tell(self, steps: int, progress: Progress, on_loss: OnLoss | None) -> None:
        """Checks the losses and reports progress. Raises `CandidateFailed` as `Watch.look` does."""
        self.watch.look()
        if on_loss is not None:
            last = self.watch.losses[-_CHECK_EVERY:]
            on_loss(self.step, steps, sum(last) / len(last))
        progress(self.watch.stage, self.step, steps)

    def go_on(self, checkpoint: Checkpoint, end: int) -> None:
        """Loads the state of the checkpoint, if it has one of a step up to `end`."""
        state = checkpoint.load(self.device)
        if state is None or state["step"] > end:
            return
        for name, module in self.modules.items():
            module.load_state_dict(state[name])
        for optimiser, kept in zip(self.optimisers.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        if "kept" in state:
            self._of_method("take_kept")(state["kept"])
        self.step, self.rows, self.watch.losses = state["step"], state["rows"], state["losses"]
        torch.set_rng_state(state["random"].cpu())
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"].cpu(), self.device)
        if not checkpoint.expected:
            checkpoint.note(f"goes on at step {self.step} of {end}")

    def _of_method(self, name: str, *otherwise: Any) -> Any:
        """An attribute of the method of distillation; a task-agnostic objective has none of them."""
        return getattr(self.modules.get("method"), name, *otherwise)

    def state(self) -> State:
        """The state that `go_on` loads. Raises `CandidateFailed` if the losses diverge, so no such state is saved."""
        self.watch.look()
        kept: Mapping[str, State] = self._of_method("kept", dict)()
        return {
            **({"kept": kept} if kept else {}),
            **{name: module.state_dict() for name, module in self.modules.items()},
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers.optimisers],
            "step": self.step,
            "rows": self.rows,
            "losses": self.watch.losses,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }


class Watch:
    """Collects the losses of a training without making the device wait, and stops a training that diverges."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.losses: list[float] = []
        self._pending: list[Tensor] = []

    def note(self, loss: Tensor, norm: Tensor) -> None:
        """Adds the loss of a step. If the gradient's norm is not finite, it counts instead: the weights are lost."""
        self._pending.append(torch.where(norm.isfinite(), loss, norm))

    def look(self) -> None:
        """Raises `CandidateFailed` if a loss since the last look is not finite or has run away."""
        for value in torch.stack(self._pending).tolist() if self._pending else []:
            self.losses.append(value)
            if not math.isfinite(value) or abs(value) > _RUNAWAY * max(1.0, abs(self.losses[0])):
                message = f"the loss is {value:.4g} at step {len(self.losses)} (first {self.losses[0]:.4g})"
                raise CandidateFailed("nan", f"{message}: try a lower learning rate", self.stage)
        self._pending.clear()

    def final_loss(self) -> float:
        """The mean loss over the last tenth of the steps."""
        last = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(last) / len(last)


@contextmanager
def private_generator(device: torch.device, seed: int) -> Iterator[None]:
    """Seeds torch's generators inside the context and restores them afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        yield
