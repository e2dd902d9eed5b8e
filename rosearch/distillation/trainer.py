"""The training of a student from a teacher's cached outputs."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rosearch.config import DistillationConfig
from rosearch.data.batches import Batch
from rosearch.data.encoding import EncodedSplit
from rosearch.distillation.fitting import Schedule, fit, private_generator
from rosearch.distillation.methods import METHODS
from rosearch.distillation.outputs import TeacherOutputs
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.records.measurements import Training


def distil(
    student: PreTrainedModel,
    encoded: EncodedSplit,
    outputs: TeacherOutputs,
    config: DistillationConfig,
    *,
    problem: str,
    device: torch.device,
    seed: int,
    progress: Progress = silent,
) -> Training:
    """Trains the student in place to match the teacher's outputs for `encoded`; it ends on `device`, in eval
    mode.

    Equal seeds give equal students on one CPU. The global torch generator is left as it was.
    Raises `CandidateFailed("nan")` where the loss becomes non-finite or runs away.
    """
    schedule = Schedule(
        config.epochs,
        config.max_steps,
        config.batch_size,
        config.learning_rate,
        config.warmup_share,
        config.weight_decay,
        config.clip_norm,
        config.precision,
    )
    with private_generator(device, derive_seed(seed, "method")):
        method = METHODS[config.method].make(config, problem, student, outputs).to(device)

    def loss(batch: Batch) -> Tensor:
        return method.loss(student, batch, outputs.rows(encoded, batch))

    return fit(
        student,
        loss,
        encoded,
        schedule,
        device=device,
        seed=seed,
        stage="distil",
        progress=progress,
        extra=tuple(method.parameters()),
    )
