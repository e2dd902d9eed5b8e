"""A training that kills itself with SIGKILL, or gets a Ctrl-C, at the start of a chosen step.

Called as: python killed_training.py SIGNAL STEP METHOD FOLDER; its checkpoint is FOLDER/checkpoint.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from training.tiny_models import CPU, config_of, make_inputs, make_student, make_task, make_tokenizer, save_model

from rosearch.data.tokens import tokenise
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.method import TrainingInputs
from rosearch.training.outputs import teacher_outputs
from rosearch.training.trainer import METHODS, distil, required_layers


def small_inputs(method: str, folder: Path) -> TrainingInputs:
    """Ten steps of a method; the same in every process."""
    tokenizer, task = make_tokenizer(), make_task(train=64)
    names = {"id2label": {0: "negative", 1: "positive"}, "label2id": {"negative": 0, "positive": 1}}
    teacher = save_model(folder / "teacher", tokenizer, head=True, initializer_range=0.5, **names)
    tokenised = tokenise(task.train, tokenizer, 16, folder)
    config = config_of(method, batch_size=8, epochs=1.25)
    outputs = teacher_outputs(teacher, tokenised, required_layers(config), folder, CPU)
    return make_inputs(config, tokenised, outputs, task.train, tokenizer, teacher, folder)


def small_student(inputs: TrainingInputs) -> StudentForSequenceClassification:
    return make_student(len(inputs.tokenizer))


def main(number: int, step: int, name: str, folder: Path) -> None:
    torch.set_num_threads(1)
    inputs = small_inputs(name, folder)
    method, before = METHODS[name], METHODS[name].before_step

    def struck(self: object, student: object, now: int) -> None:
        if now == step:
            os.kill(os.getpid(), number)
        before(self, student, now)  # type: ignore[arg-type]

    method.before_step = struck  # type: ignore[assignment, method-assign]
    every = 0.0 if number == signal.SIGKILL else 3600.0
    distil(small_student(inputs), inputs, Checkpoint(folder / "checkpoint", every=every))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests behind a shell's `&` ignores it
    main(getattr(signal, sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
