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
from rosearch.training.method import Lesson
from rosearch.training.methods import METHODS, own_settings


def distil(
    student: PreTrainedModel, lesson: Lesson, checkpoint: Checkpoint | None = None, on_loss: OnLoss | None = None
) -> Training:
    """Trains the student in place; it ends on the lesson's device, in eval mode.

    Equal seeds give equal students on one CPU, also where a `checkpoint` was gone on from; what the student's weights
    start from must be named in the checkpoint's `content`, since it is not read off them. The global torch generator
    is left as it was. `on_loss` is told the loss every few steps.
    Raises `CandidateFailed("nan")` where the loss becomes non-finite or runs away, `RunError` where the checkpoint is
    of another training.
    """
    device = lesson.device
    with private_generator(device, derive_seed(lesson.seed, "method")):
        method = METHODS[lesson.config.method].make(lesson, student).to(device)

    def losses(batch: Batch) -> Iterator[Tensor]:
        return method.losses(student, batch, lesson.outputs.rows(lesson.encoded, batch))

    training = fit(
        student,
        losses,
        TaskRows(lesson.encoded),
        lesson.schedule,
        device=device,
        seed=lesson.seed,
        stage="distil",
        progress=lesson.progress,
        method=method,
        extra=method.trained(),
        before_step=lambda step: method.before_step(student, step),
        checkpoint=None if checkpoint is None else checkpoint.of(_content(lesson)),
        on_loss=on_loss,
    )
    method.finish(student)
    return training


def _content(lesson: Lesson) -> dict[str, str]:
    """The settings of the method, and the teacher's answers."""
    settings = {name: str(value) for name, value in own_settings(lesson.config).items()}
    return {**settings, "teacher": lesson.outputs.key}
