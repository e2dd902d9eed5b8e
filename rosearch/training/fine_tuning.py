"""Fine-tuning of pretrained weights for a task: how a teacher is made where none is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel
from transformers.utils import logging

from rosearch.config.experiment import FineTuneConfig
from rosearch.data.batches import Batch, TaskRows
from rosearch.data.tasks import Task
from rosearch.data.tokens import tokenise
from rosearch.errors import BadInput, CandidateFailed, Problem
from rosearch.measurements import Training
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.training.fitting import Schedule, fit, private_generator
from rosearch.training.losses import hard_label_loss

# How Devlin et al. (arXiv 1810.04805, appendix A) fine-tune BERT; batch, rate and epochs are the user's.
_WARMUP_SHARE = 0.1
_WEIGHT_DECAY = 0.01
_CLIP_NORM = 1.0


def fine_tune(
    weights: Path,
    config: FineTuneConfig,
    task: Task,
    max_length: int,
    cache: Path,
    device: torch.device,
    seed: int,
    progress: Progress = silent,
) -> tuple[PreTrainedModel, Any, Training]:
    """A classifier (or regressor) on the pretrained weights, trained on the task's training split; its
    tokenizer.

    Raises `BadInput` where the training diverges: the learning rate is the user's.
    """
    tokenizer = AutoTokenizer.from_pretrained(weights, local_files_only=True)
    tokenised = tokenise(task.train, tokenizer, max_length, cache, progress)
    with (
        private_generator(torch.device("cpu"), derive_seed(seed, "classification head")),
        quiet_transformers(),
    ):
        model = AutoModelForSequenceClassification.from_pretrained(
            weights,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            num_labels=task.num_labels,
            **label_names(task),
        )

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
        training = fit(model, losses, rows, schedule, device=device, seed=seed, stage="teacher", progress=progress)
    except CandidateFailed as error:
        expected, got = "a rate at which the teacher learns", f"{config.learning_rate:g} ({error})"
        raise BadInput(Problem("experiment", "teacher.fine_tune.learning_rate", expected, got)) from None
    return model.to("cpu"), tokenizer, training


def label_names(task: Task) -> dict[str, Any]:
    """The part of a transformers configuration that names the labels; nothing for regression."""
    if task.problem == "regression":
        return {"problem_type": "regression"}
    return {
        "problem_type": "single_label_classification",
        "id2label": dict(enumerate(task.labels)),
        "label2id": {name: index for index, name in enumerate(task.labels)},
    }


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No notes inside on a head that starts untrained: here it is meant to."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
