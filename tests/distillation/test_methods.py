"""The contract of a method, over all that are registered."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_models import CPU, make_student, make_task, save_model

from rosearch.data.batches import Batch, collate
from rosearch.data.encoding import EncodedSplit, encode
from rosearch.distillation.device import autocast
from rosearch.distillation.methods import METHODS, required_layers
from rosearch.distillation.outputs import TeacherOutputs, teacher_outputs
from rosearch.distillation_config import DistillationConfig

SETTINGS = {"epochs": 1, "learning_rate": 1e-3, "precision": "float32"}


def config_of(name: str, **changes: Any) -> DistillationConfig:
    return DistillationConfig.model_validate({"method": name, **SETTINGS, **changes})


@pytest.fixture
def batch(encoded: EncodedSplit) -> Batch:
    return collate(encoded, np.array([3, 0, 17, 40]))


def test_every_method_of_the_configuration_is_registered() -> None:
    choices = DistillationConfig.model_fields["method"].annotation.__args__  # type: ignore[union-attr]
    assert set(choices) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
class TestEveryMethod:
    def test_gives_a_finite_float32_scalar_that_reaches_every_weight(
        self, name: str, batch: Batch, encoded: EncodedSplit, outputs: TeacherOutputs, tokenizer: Any
    ) -> None:
        student = make_student(len(tokenizer)).train()
        method = METHODS[name].make(config_of(name), "classification", student, outputs)
        loss = method.loss(student, batch, outputs.rows(encoded, batch))
        assert loss.shape == () and loss.dtype == torch.float32 and loss.isfinite()
        loss.backward()
        for parameter in (*student.parameters(), *method.parameters()):
            assert parameter.grad is not None and parameter.grad.isfinite().all()

    def test_stays_finite_and_near_in_bfloat16(
        self, name: str, batch: Batch, encoded: EncodedSplit, outputs: TeacherOutputs, tokenizer: Any
    ) -> None:
        student = make_student(len(tokenizer)).eval()
        method = METHODS[name].make(config_of(name), "classification", student, outputs)
        rows = outputs.rows(encoded, batch)
        exact = method.loss(student, batch, rows)
        with autocast(CPU, "bfloat16", training=True):
            loss = method.loss(student, batch, rows)
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, exact, rtol=0.05, atol=0.05)
        loss.backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in student.parameters())

    def test_does_not_depend_on_the_padding_of_the_batch(
        self, name: str, batch: Batch, encoded: EncodedSplit, outputs: TeacherOutputs, tokenizer: Any
    ) -> None:
        student = make_student(len(tokenizer)).eval()
        method = METHODS[name].make(config_of(name), "classification", student, outputs)
        rows = outputs.rows(encoded, batch)
        pad = lambda x, value: F.pad(x, (0, 5), value=value)  # noqa: E731
        assert batch.token_type_ids is not None
        wider = Batch(
            batch.rows,
            pad(batch.input_ids, encoded.pad_id),
            pad(batch.attention_mask, 0),
            pad(batch.token_type_ids, 0),
            batch.labels,
        )
        torch.testing.assert_close(method.loss(student, wider, rows), method.loss(student, batch, rows))

    def test_works_for_regression(self, name: str, tokenizer: Any, tmp_path: Path) -> None:
        task = make_task("score", train=8)
        folder = save_model(tmp_path / "teacher", tokenizer, head=True, num_labels=1)
        encoded = encode(task.train, tokenizer, 16, tmp_path)
        outputs = teacher_outputs(folder, encoded, (-1,), tmp_path, CPU)
        student = make_student(len(tokenizer), problem="regression")
        method = METHODS[name].make(config_of(name), "regression", student, outputs)
        batch = collate(encoded, np.arange(8))
        loss = method.loss(student, batch, outputs.rows(encoded, batch))
        assert loss.isfinite() and loss.item() > 0

    def test_a_weight_of_zero_leaves_its_loss_out(
        self, name: str, batch: Batch, encoded: EncodedSplit, outputs: TeacherOutputs, tokenizer: Any
    ) -> None:
        student = make_student(len(tokenizer)).eval()
        config = config_of(name, soft_weight=0, hard_weight=1, hidden_weight=0)
        method = METHODS[name].make(config, "classification", student, outputs)
        loss = method.loss(student, batch, outputs.rows(encoded, batch))
        logits = student(**batch.inputs).logits
        torch.testing.assert_close(loss, F.cross_entropy(logits, batch.labels))

    def test_asks_for_hidden_layers_only_where_it_reads_them(self, name: str) -> None:
        asked = required_layers(config_of(name, hidden_layers=[2, -1]))
        assert asked == ((2, -1) if METHODS[name].needs_hidden else ())


def test_the_losses_of_labels_add_up_with_their_weights(
    batch: Batch, encoded: EncodedSplit, outputs: TeacherOutputs, tokenizer: Any
) -> None:
    student = make_student(len(tokenizer)).eval()
    config = config_of("kd", soft_weight=0.7, hard_weight=0.2, temperature=3.0)
    rows = outputs.rows(encoded, batch)
    loss = METHODS["kd"].make(config, "classification", student, outputs).loss(student, batch, rows)
    logits = student(**batch.inputs).logits
    soft = 9 * F.kl_div((logits / 3).log_softmax(-1), (rows.logits / 3).softmax(-1), reduction="batchmean")
    torch.testing.assert_close(loss, 0.7 * soft + 0.2 * F.cross_entropy(logits, batch.labels))


def test_hidden_states_add_the_mean_of_the_probes_errors(
    batch: Batch, encoded: EncodedSplit, outputs: TeacherOutputs, tokenizer: Any
) -> None:
    student = make_student(len(tokenizer)).eval()
    method = METHODS["hidden_states"].make(
        config_of("hidden_states", hidden_weight=0.4), "classification", student, outputs
    )
    plain = METHODS["kd"].make(config_of("kd"), "classification", student, outputs)
    rows = outputs.rows(encoded, batch)
    states = student(**batch.inputs, output_hidden_states=True).hidden_states
    mask = batch.attention_mask.bool()
    assert rows.hidden is not None
    probes = next(method.children())
    # Layer 1 of 2 belongs to the node half-way (the second of three), the last layer to the final norm.
    errors = [
        F.mse_loss(probe(states[position][mask]), rows.hidden[:, index])
        for index, (probe, position) in enumerate(zip(probes, (2, 4), strict=True))  # type: ignore[arg-type]
    ]
    expected = plain.loss(student, batch, rows) + 0.4 * (errors[0] + errors[1]) / 2
    torch.testing.assert_close(method.loss(student, batch, rows), expected)
    assert not math.isclose(errors[0].item(), 0.0)


def test_hidden_states_without_cached_states_is_a_programming_error(
    teacher_folder: Path, encoded: EncodedSplit, tokenizer: Any, tmp_path: Path
) -> None:
    bare = teacher_outputs(teacher_folder, encoded, (), tmp_path, CPU)
    with pytest.raises(ValueError, match="hidden_layers"):
        METHODS["hidden_states"].make(config_of("hidden_states"), "classification", make_student(len(tokenizer)), bare)
