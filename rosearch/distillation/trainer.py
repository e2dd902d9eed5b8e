"""The training of a student by a method of distillation."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from transformers import PreTrainedModel

from rosearch.data.batches import Batch
from rosearch.distillation.fitting import fit, private_generator
from rosearch.distillation.method import Lesson
from rosearch.distillation.methods import METHODS
from rosearch.randomness import derive_seed
from rosearch.records.measurements import Training


def distil(student: PreTrainedModel, lesson: Lesson) -> Training:
    """Trains the student in place; it ends on the lesson's device, in eval mode.

    Equal seeds give equal students on one CPU. The global torch generator is left as it was.
    Raises `CandidateFailed("nan")` where the loss becomes non-finite or runs away.
    """
    device = lesson.device
    with private_generator(device, derive_seed(lesson.seed, "method")):
        method = METHODS[lesson.config.method].make(lesson, student).to(device)

    def losses(batch: Batch) -> Iterator[Tensor]:
        return method.losses(student, batch, lesson.outputs.rows(lesson.encoded, batch))

    training = fit(
        student,
        losses,
        lesson.encoded,
        lesson.schedule,
        device=device,
        seed=lesson.seed,
        stage="distil",
        progress=lesson.progress,
        extra=method.trained(),
        before_step=lambda step: method.before_step(student, step),
    )
    method.finish(student)
    return training
