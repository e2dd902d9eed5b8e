"""The methods of distillation by name, and the training of a student by one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from rosearch.config.distillation import DistillationConfig
from rosearch.data.batches import Batch, TaskRows
from rosearch.measurements import Training
from rosearch.randomness import derive_seed
from rosearch.training.ad2 import AdversarialDistillation
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.fitting import OnLoss, fit, private_generator
from rosearch.training.hidden_states import HiddenStateDistillation
from rosearch.training.kd import KnowledgeDistillation
from rosearch.training.mate_kd import MateKd
from rosearch.training.method import Method, TrainingInputs
from rosearch.training.robust_kd import RobustKd

METHODS: dict[str, type[Method]] = {
    "kd": KnowledgeDistillation,
    "hidden_states": HiddenStateDistillation,
    "ad2": AdversarialDistillation,
    "mate_kd": MateKd,
    "robust_kd": RobustKd,
}


def required_layers(config: DistillationConfig) -> tuple[int, ...]:
    """The teacher's layers whose hidden states the configured method reads; empty for most methods."""
    return tuple(config.hidden_layers) if METHODS[config.method].needs_hidden else ()


_ADDED: dict[str, Any] = {
    "class_weights": "none",
    "inherit": "none",
    "withhold": False,
    "label_smoothing": 0.0,
    "flood": 0.0,
    "robust_kd.guide": "gradient",
    "robust_kd.refill_words": 50,
    "robust_kd.snapshots": None,
    "robust_kd.snapshot_share": 0.5,
    "robust_kd.snapshot_attacks": [],
    "robust_kd.snapshot_rows": 200,
    "word_table": "teacher",
}  # by value: a checkpoint from before such a key is of the same training


def own_settings(config: DistillationConfig) -> dict[str, Any]:
    """The configuration as plain data, without the sections of other methods, which cannot influence the result."""
    return config.model_dump(mode="json", exclude=set(METHODS) - {config.method})


def distil(
    student: PreTrainedModel,
    inputs: TrainingInputs,
    checkpoint: Checkpoint | None = None,
    on_loss: OnLoss | None = None,
) -> Training:
    """Trains the student in place; it ends on the device of the inputs, in eval mode.

    Equal seeds give equal students on one CPU, also after a resume from a `checkpoint`. The checkpoint's `content` must
    name the origin of the initial weights, which are not compared themselves. The global torch generator is left as it
    was. `on_loss` gets the loss every few steps. Raises `CandidateFailed("nan")` if the loss becomes non-finite or runs
    away, `RunError` if the checkpoint belongs to another training.
    """
    device = inputs.device
    with private_generator(device, derive_seed(inputs.seed, "method")):
        method = METHODS[inputs.config.method].make(inputs, student).to(device)

    def losses(batch: Batch) -> Iterator[Tensor]:
        return method.losses(student, batch, inputs.outputs.rows(inputs.tokenised, batch))

    training = fit(
        student,
        losses,
        TaskRows(inputs.tokenised),
        inputs.schedule,
        device=device,
        seed=inputs.seed,
        stage="distil",
        progress=inputs.progress,
        method=method,
        extra=method.trained(),
        before_step=lambda step: method.before_step(student, step),
        checkpoint=None if checkpoint is None else checkpoint.of(_content(inputs) | method.content()),
        on_loss=on_loss,
    )
    return replace(training, averaging=method.finish(student))


def _content(inputs: TrainingInputs) -> dict[str, str]:
    """The settings of the method and the key of the teacher's outputs: both identify the training."""
    settings = {name: str(value) for name, value in _stated(own_settings(inputs.config)).items()}
    return {**settings, "teacher": inputs.outputs.key}


def _stated(settings: dict[str, Any], section: str = "") -> dict[str, Any]:
    """The settings without those that were added later and have their default."""
    return {
        name: _stated(value, f"{section}{name}.") if isinstance(value, dict) else value
        for name, value in settings.items()
        if f"{section}{name}" not in _ADDED or _ADDED[f"{section}{name}"] != value
    }
