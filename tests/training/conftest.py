"""Fixtures of this folder: a tokenizer, a task, teachers, their outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from training.tiny_models import CPU, make_inputs, make_task, make_tokenizer, save_model

from rosearch.config.distillation import DistillationConfig
from rosearch.data.tasks import Task
from rosearch.data.tokens import TokenisedSplit, tokenise
from rosearch.training.method import TrainingInputs
from rosearch.training.outputs import TeacherOutputs, teacher_outputs


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return make_tokenizer()


@pytest.fixture(scope="session")
def task() -> Task:
    return make_task()


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    return save_model(tmp_path_factory.mktemp("pretrained"), tokenizer)


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """A classifier with large random weights: its answers differ from row to row."""
    folder = tmp_path_factory.mktemp("teacher")
    names = {"id2label": {0: "negative", 1: "positive"}, "label2id": {"negative": 0, "positive": 1}}
    return save_model(folder, tokenizer, head=True, initializer_range=0.5, **names)


@pytest.fixture
def tokenised(task: Task, tokenizer: Any, tmp_path: Path) -> TokenisedSplit:
    return tokenise(task.train, tokenizer, 16, tmp_path)


@pytest.fixture
def outputs(teacher_folder: Path, tokenised: TokenisedSplit, tmp_path: Path) -> TeacherOutputs:
    """With the hidden states of both layers."""
    return teacher_outputs(teacher_folder, tokenised, (1, -1), tmp_path, CPU)


@pytest.fixture
def inputs(
    tokenised: TokenisedSplit, outputs: TeacherOutputs, task: Task, tokenizer: Any, teacher_folder: Path, tmp_path: Path
) -> TrainingInputs:
    """All of the above under the default configuration: `replace` it for another."""
    return make_inputs(DistillationConfig(), tokenised, outputs, task.train, tokenizer, teacher_folder, tmp_path)
