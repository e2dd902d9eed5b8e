from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training.tiny_models import (
    CPU,
    config_of,
    make_auto_student,
    make_inputs,
    make_student,
    make_task,
    make_tokenizer,
    same_weights,
    save_model,
)
from transformers import PreTrainedModel

from rosearch.data.batches import evaluation_batches
from rosearch.data.tasks import Task
from rosearch.data.tokens import TokenisedSplit, tokenise
from rosearch.errors import CandidateFailed
from rosearch.measurements import Training
from rosearch.training import quick_steps
from rosearch.training.method import TrainingInputs
from rosearch.training.outputs import teacher_outputs
from rosearch.training.trainer import METHODS, distil


def train(student: PreTrainedModel, inputs: TrainingInputs, method: str = "kd", **changes: Any) -> Training:
    """The student after one epoch, or as `changes` of the configuration have it."""
    return distil(student, replace(inputs, config=config_of(method, **changes)))


def labelled(inputs: TrainingInputs) -> TrainingInputs:
    """With a teacher that knows: its logits are the labels, with confidence."""
    sure = np.where(np.arange(2) == inputs.tokenised.labels[:, None], 3.0, -3.0).astype(np.float32)
    return replace(inputs, outputs=replace(inputs.outputs, logits=sure))


@torch.inference_mode()
def accuracy(student: PreTrainedModel, tokenised: TokenisedSplit) -> float:
    right = [
        (student(**batch.inputs).logits.argmax(1) == batch.labels).sum().item()
        for batch in evaluation_batches(tokenised, 32)
    ]
    return sum(right) / len(tokenised)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_student_learns_a_small_task_far_above_chance(
    method: str, precision: str, task: Task, inputs: TrainingInputs, tokenizer: Any, tmp_path: Path
) -> None:
    student = make_student(len(tokenizer))
    changes = {"epochs": 12, "precision": precision, "learning_rate": 1e-2, "dropout": 0.0}
    training = train(student, labelled(inputs), method, **changes)
    assert training.precision == precision
    assert accuracy(student, tokenise(task.validation, tokenizer, 16, tmp_path)) > 0.9


@pytest.mark.parametrize("kind", ["distilbert", "roberta"])
@pytest.mark.parametrize("method", [name for name in METHODS if name != "hidden_states"])
def test_a_student_that_is_none_of_ours_is_trained_as_well(
    method: str, kind: str, task: Task, teacher_folder: Path, tmp_path: Path
) -> None:
    """All but `hidden_states`, which reads the graph of the student."""
    tokenizer = make_tokenizer(token_types=False)
    tokenised = tokenise(task.train, tokenizer, 16, tmp_path)
    outputs = teacher_outputs(teacher_folder, tokenised, (), tmp_path, CPU)
    known = labelled(
        make_inputs(config_of(method), tokenised, outputs, task.train, tokenizer, teacher_folder, tmp_path)
    )
    student = make_auto_student(kind, len(tokenizer), seed=2, dropout=0.0)
    train(student, known, method, epochs=16, learning_rate=5e-3)
    assert accuracy(student, tokenise(task.validation, tokenizer, 16, tmp_path)) > 0.75  # chance is 0.5, of 64 rows


@pytest.mark.parametrize("method", METHODS)
def test_the_teachers_folder_is_left_bit_by_bit_as_it_was(
    method: str, inputs: TrainingInputs, teacher_folder: Path, tokenizer: Any
) -> None:
    before = {path.name: path.read_bytes() for path in teacher_folder.iterdir()}
    train(make_student(len(tokenizer)), inputs, method)
    assert {path.name: path.read_bytes() for path in teacher_folder.iterdir()} == before


def test_a_student_learns_pairs(teacher_folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    task = make_task("pair", train=256)
    tokenised = tokenise(task.train, tokenizer, 32, tmp_path)
    outputs = teacher_outputs(teacher_folder, tokenised, (), tmp_path, CPU)
    known = labelled(make_inputs(config_of("kd"), tokenised, outputs, task.train, tokenizer, teacher_folder, tmp_path))
    student = make_student(len(tokenizer))
    first = train(student, known, epochs=2, learning_rate=1e-2)
    last = train(student, known, epochs=30, learning_rate=1e-2)
    assert last.final_loss < 0.7 * first.final_loss


def test_a_student_learns_scores(tokenizer: Any, tmp_path: Path) -> None:
    task = make_task("score", train=256)
    folder = save_model(tmp_path / "teacher", tokenizer, head=True, num_labels=1)
    tokenised = tokenise(task.train, tokenizer, 16, tmp_path)
    outputs = teacher_outputs(folder, tokenised, (), tmp_path, CPU)
    student = make_student(len(tokenizer), problem="regression")
    inputs = make_inputs(
        config_of("kd"), tokenised, outputs, task.train, tokenizer, folder, tmp_path, problem="regression"
    )
    training = train(student, inputs, epochs=12, soft_weight=0.0, hard_weight=1.0, learning_rate=1e-2)
    assert training.final_loss < 0.5 * float(np.var(tokenised.labels))


@pytest.mark.parametrize("method", METHODS)
def test_equal_seeds_give_bit_identical_students(method: str, inputs: TrainingInputs, tokenizer: Any) -> None:
    students = [make_student(len(tokenizer)) for _ in range(3)]
    losses = []
    for student, seed in zip(students, (1, 1, 2), strict=True):
        torch.manual_seed(len(losses))  # whatever the global generator holds
        losses.append(train(student, replace(inputs, seed=seed), method).final_loss)
    assert same_weights(students[0], students[1]) and losses[0] == losses[1]
    assert not same_weights(students[0], students[2])


@pytest.mark.parametrize("method", METHODS)
def test_the_global_generator_is_left_as_it_was(method: str, inputs: TrainingInputs, tokenizer: Any) -> None:
    before = torch.get_rng_state()
    train(make_student(len(tokenizer)), inputs, method, max_steps=2)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_absurd_learning_rate_is_a_nan_failure_of_the_candidate(
    precision: str, inputs: TrainingInputs, tokenizer: Any
) -> None:
    with pytest.raises(CandidateFailed, match="learning rate") as caught:
        train(make_student(len(tokenizer)), inputs, learning_rate=1e6, epochs=50, precision=precision)
    assert (caught.value.kind, caught.value.stage) == ("nan", "distil")


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_poisoned_teacher_logits_stop_the_training_early(poison: float, inputs: TrainingInputs, tokenizer: Any) -> None:
    logits = np.array(inputs.outputs.logits)
    logits[7, 0] = poison
    seen: list[int] = []
    poisoned = replace(
        inputs,
        outputs=replace(inputs.outputs, logits=logits),
        progress=lambda stage, done, total: seen.append(done),
    )
    with pytest.raises(CandidateFailed) as caught:
        train(make_student(len(tokenizer)), poisoned, epochs=100)
    assert caught.value.kind == "nan"
    assert max(seen) <= 20  # of 800 steps


def test_the_training_says_what_it_did(inputs: TrainingInputs, tokenizer: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    student = make_student(len(tokenizer))
    watched = replace(inputs, progress=lambda *step: seen.append(step))
    training = train(student, watched, epochs=1.5, batch_size=32)
    assert training.steps == 12  # 256 rows in batches of 32, one and a half times
    assert training.rows_seen == 12 * 32
    assert seen[0] == ("distil", 0, 12) and seen[-1] == ("distil", 12, 12)
    assert not student.training
    assert all(parameter.grad is None for parameter in student.parameters())


def test_max_steps_ends_an_epoch_early(inputs: TrainingInputs, tokenizer: Any) -> None:
    assert train(make_student(len(tokenizer)), inputs, max_steps=3).steps == 3


@pytest.mark.parametrize("sparse", [False, True])
def test_words_that_never_occur_keep_what_they_inherited(
    sparse: bool, inputs: TrainingInputs, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_steps, "_SPARSE_ROWS", 1 if sparse else 10**9)
    student = make_student(len(tokenizer))
    before = student.get_input_embeddings().weight.detach().clone()
    train(student, inputs, weight_decay=0.5)
    moved = (student.get_input_embeddings().weight != before).any(1)
    seen = np.zeros(len(tokenizer), bool)
    seen[np.unique(inputs.tokenised.ids)] = True
    assert not moved[~torch.from_numpy(seen)].any()
    assert moved[torch.from_numpy(seen)].all()
    assert student.get_input_embeddings().sparse is False  # as it was


@pytest.mark.parametrize("method", METHODS)
def test_a_student_trained_with_a_sparse_word_table_learns_as_well(
    method: str, task: Task, inputs: TrainingInputs, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_steps, "_SPARSE_ROWS", 1)
    student = make_student(len(tokenizer))
    train(student, labelled(inputs), method, epochs=12, learning_rate=1e-2)
    assert accuracy(student, tokenise(task.validation, tokenizer, 16, tmp_path)) > 0.9
