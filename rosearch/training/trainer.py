"""The training of a student by a method of distillation."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from transformers import PreTrainedModel

from rosearch.data.batches import Batch, TaskRows
from rosearch.measurements import Training
from rosearch.randomness import derive_seed
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.fitting import OnLoss, fit, private_generator
from rosearch.training.method import TrainingInputs
from rosearch.training.methods import METHODS, own_settings


def distil(
    student: PreTrainedModel,
    inputs: TrainingInputs,
    checkpoint: Checkpoint | None = None,
    on_loss: OnLoss | None = None,
) -> Training:
    """Trains the student in place; it ends on the inputs's device, in eval mode.

    Equal seeds give equal students on one CPU, also where a `checkpoint` was gone on from; what the student's weights
    start from must be named in the checkpoint's `content`, since it is not read off them. The global torch generator
    is left as it was. `on_loss` is told the loss every few steps.
    Raises `CandidateFailed("nan")` where the loss becomes non-finite or runs away, `RunError` where the checkpoint is
    of another training.
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
        checkpoint=None if checkpoint is None else checkpoint.of(_content(inputs)),
        on_loss=on_loss,
    )
    method.finish(student)
    return training


def _content(inputs: TrainingInputs) -> dict[str, str]:
    """The settings of the method, and the teacher's answers."""
    settings = {name: str(value) for name, value in own_settings(inputs.config).items()}
    return {**settings, "teacher": inputs.outputs.key}
