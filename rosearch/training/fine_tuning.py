"""Fine-tuning of pretrained weights for a task: it makes a teacher where none is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from rosearch.config.teacher import FineTuneConfig
from rosearch.data.batches import Batch, TaskRows
from rosearch.data.tasks import Task
from rosearch.data.tokens import tokenise
from rosearch.errors import BadInput, CandidateFailed, Problem
from rosearch.measurements import Training
from rosearch.models.heads import label_names
from rosearch.models.saved import load_model, load_tokenizer, quiet_transformers
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.fitting import Schedule, fit, private_generator
from rosearch.training.losses import hard_label_loss

# How Devlin et al. (arXiv 1810.04805, appendix A) fine-tune BERT; batch, rate and epochs are the user's.
_WARMUP_SHARE = 0.1
_WEIGHT_DECAY = 0.01
_CLIP_NORM = 1.0


@dataclass(frozen=True, eq=False)
class FineTuning:
    """All that a fine-tuned teacher follows from."""

    weights: Path
    config: FineTuneConfig
    task: Task
    max_length: int
    device: torch.device
    seed: int


def fine_tune(
    asked: FineTuning, cache: Path, progress: Progress = silent, checkpoint: Checkpoint | None = None
) -> tuple[PreTrainedModel, Any, Training]:
    """A classifier (or regressor) on the pretrained weights, trained on the task's training split, and its tokenizer.

    A training that was stopped goes on from its checkpoint, to the same bits; the caller removes the file. Raises
    `BadInput` where the training diverges: the learning rate is the user's.
    """
    config, task, seed = asked.config, asked.task, asked.seed
    tokenizer = load_tokenizer(asked.weights)
    tokenised = tokenise(task.train, tokenizer, asked.max_length, cache, progress)
    with (
        private_generator(torch.device("cpu"), derive_seed(seed, "classification head")),
        quiet_transformers(),
    ):
        names = {"num_labels": task.num_labels, **label_names(task)}
        model = load_model(AutoModelForSequenceClassification, asked.weights, trains_head=True, **names)

    def losses(batch: Batch) -> tuple[Tensor]:
        return (hard_label_loss(model(**batch.inputs).logits, batch.labels, task.problem),)

    schedule = Schedule(
        epochs=config.epochs,
        max_steps=config.max_steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        warmup_share=_WARMUP_SHARE,
        weight_decay=_WEIGHT_DECAY,
        clip_norm=_CLIP_NORM,
        precision="auto",
    )
    try:
        rows = TaskRows(tokenised)
        training = fit(
            model,
            losses,
            rows,
            schedule,
            device=asked.device,
            seed=seed,
            stage="teacher",
            progress=progress,
            checkpoint=checkpoint,
        )
    except CandidateFailed as error:
        if checkpoint is not None:
            checkpoint.remove()
        expected, got = "a rate at which the teacher learns", f"{config.learning_rate:g} ({error})"
        raise BadInput(Problem("experiment", "teacher.fine_tune.learning_rate", expected, got)) from None
    return model.to("cpu"), tokenizer, training
