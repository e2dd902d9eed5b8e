"""The contract of a method, over all that are registered."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor
from training.tiny_models import CPU, config_of, make_inputs, make_student, make_task, save_model
from transformers import PreTrainedModel

from rosearch.config.choices import NEED_A_TEACHER
from rosearch.config.distillation import DistillationConfig
from rosearch.data.batches import Batch, collate
from rosearch.data.tokens import tokenise
from rosearch.errors import BadInput
from rosearch.models.device import autocast
from rosearch.training.fitting import private_generator
from rosearch.training.method import Method, TrainingInputs
from rosearch.training.outputs import TeacherRows, teacher_outputs
from rosearch.training.trainer import METHODS, required_layers

# What a method cannot promise by its nature.
PICKS_WORDS = {"mate_kd"}  # by argmax, which other random numbers (padding) or rounding (bfloat16) turn to another word
OWN_WEIGHTS = {"mate_kd"}  # a third to each of its losses, as published: the section's weights are not read


@pytest.fixture
def batch(inputs: TrainingInputs) -> Batch:
    return collate(inputs.tokenised, np.array([3, 0, 17, 40]))


@pytest.fixture
def rows(inputs: TrainingInputs, batch: Batch) -> TeacherRows:
    return inputs.outputs.rows(inputs.tokenised, batch)


def make(inputs: TrainingInputs, student: PreTrainedModel, name: str, **changes: Any) -> Method:
    with private_generator(CPU, 3):
        return METHODS[name].make(replace(inputs, config=config_of(name, **changes)), student)


def parts_of(method: Method, student: PreTrainedModel, batch: Batch, rows: TeacherRows) -> list[Tensor]:
    """The parts of the loss; every call draws the same random numbers."""
    with private_generator(CPU, 5):
        return list(method.losses(student, batch, rows))


def loss_of(method: Method, student: PreTrainedModel, batch: Batch, rows: TeacherRows) -> Tensor:
    return torch.stack(parts_of(method, student, batch, rows)).sum()


def test_every_method_of_the_configuration_is_registered() -> None:
    choices = DistillationConfig.model_fields["method"].annotation.__args__  # type: ignore[union-attr]
    assert set(choices) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
class TestEveryMethod:
    def test_gives_finite_float32_scalars_that_reach_every_weight(
        self, name: str, inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
    ) -> None:
        student = make_student(len(tokenizer)).train()
        method = make(inputs, student, name)
        parts = parts_of(method, student, batch, rows)
        assert parts
        for part in parts:
            assert part.shape == () and part.dtype == torch.float32 and part.isfinite()
            part.backward()
        for parameter in (*student.parameters(), *method.trained()):
            assert parameter.grad is not None and parameter.grad.isfinite().all()

    def test_learns_from_outputs_alone_where_the_rules_of_an_experiment_allow_it(
        self, name: str, inputs: TrainingInputs, batch: Batch, tokenizer: Any
    ) -> None:
        """As beside soft labels, which nobody can ask."""
        alone = replace(inputs, teacher=None, outputs=replace(inputs.outputs, hidden=None))
        student = make_student(len(tokenizer)).train()
        if name in NEED_A_TEACHER:
            with pytest.raises((BadInput, ValueError)):
                make(alone, student, name)
            return
        method = make(alone, student, name)
        for part in parts_of(method, student, batch, alone.outputs.rows(alone.tokenised, batch)):
            assert part.isfinite()
            part.backward()

    def test_stays_finite_in_bfloat16_and_near_where_nothing_is_picked(
        self, name: str, inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
    ) -> None:
        student = make_student(len(tokenizer)).eval()
        method = make(inputs, student, name)
        exact = loss_of(method, student, batch, rows)
        with autocast(CPU, "bfloat16", training=True):
            loss = loss_of(method, student, batch, rows)
        assert loss.dtype == torch.float32 and loss.isfinite()
        if name not in PICKS_WORDS:
            torch.testing.assert_close(loss, exact, rtol=0.05, atol=0.05)
        loss.backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in student.parameters())

    def test_does_not_depend_on_the_padding_of_the_batch(
        self, name: str, inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
    ) -> None:
        if name in PICKS_WORDS:
            pytest.skip("its random numbers are those of the padded batch")
        student = make_student(len(tokenizer)).eval()
        method = make(inputs, student, name)
        pad = lambda x, value: F.pad(x, (0, 5), value=value)  # noqa: E731
        assert batch.token_type_ids is not None
        wider = Batch(
            batch.rows,
            pad(batch.input_ids, inputs.tokenised.pad_id),
            pad(batch.attention_mask, 0),
            pad(batch.token_type_ids, 0),
            batch.labels,
        )
        torch.testing.assert_close(loss_of(method, student, wider, rows), loss_of(method, student, batch, rows))

    def test_works_for_regression(self, name: str, tokenizer: Any, tmp_path: Path) -> None:
        task = make_task("score", train=8)
        folder = save_model(tmp_path / "teacher", tokenizer, head=True, num_labels=1)
        tokenised = tokenise(task.train, tokenizer, 16, tmp_path)
        outputs = teacher_outputs(folder, tokenised, (-1,), tmp_path, CPU)
        student = make_student(len(tokenizer), problem="regression")
        inputs = make_inputs(
            config_of(name), tokenised, outputs, task.train, tokenizer, folder, tmp_path, problem="regression"
        )
        batch = collate(tokenised, np.arange(8))
        loss = loss_of(make(inputs, student, name), student, batch, outputs.rows(tokenised, batch))
        assert loss.isfinite() and loss.item() > 0

    def test_a_weight_of_zero_leaves_its_loss_out(
        self, name: str, inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
    ) -> None:
        """The clean losses, which come first; the weight of perturbed text cannot be zero."""
        if name in OWN_WEIGHTS:
            pytest.skip("weighs its losses alike")
        student = make_student(len(tokenizer)).eval()
        method = make(inputs, student, name, soft_weight=0, hard_weight=1, hidden_weight=0)
        clean = parts_of(method, student, batch, rows)[0]
        torch.testing.assert_close(clean, F.cross_entropy(student(**batch.inputs).logits, batch.labels))

    def test_weights_of_classes_reach_its_loss_against_labels_alone(
        self, name: str, inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
    ) -> None:
        student, ones = make_student(len(tokenizer)).eval(), (1.0, 1.0)
        hard = F.cross_entropy(student(**batch.inputs).logits, batch.labels, reduction="none")

        def loss(weights: tuple[float, ...] | None) -> Tensor:
            method = make(replace(inputs, class_weights=weights), student, name, hard_weight=0.5)
            return loss_of(method, student, batch, rows)

        share = 1 / 3 if name in OWN_WEIGHTS else 0.5
        added = share * (torch.tensor([0.0, 2.0])[batch.labels] * hard).mean()
        assert set(batch.labels.tolist()) == {0, 1}
        torch.testing.assert_close(loss(ones), loss(None))
        torch.testing.assert_close(loss((1.0, 3.0)) - loss(None), added, rtol=1e-4, atol=1e-5)

    def test_without_weights_of_classes_its_loss_is_as_it_was_to_the_bit(
        self, name: str, inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
    ) -> None:
        student = make_student(len(tokenizer)).eval()
        method = make(inputs, student, name, soft_weight=0, hard_weight=1, hidden_weight=0)
        if name not in OWN_WEIGHTS:
            logits = student(**batch.inputs).logits
            assert torch.equal(parts_of(method, student, batch, rows)[0], F.cross_entropy(logits, batch.labels))
        assert METHODS[name].learns_labels(config_of(name, hard_weight=1))
        assert METHODS[name].learns_labels(config_of(name, hard_weight=0)) == (name in OWN_WEIGHTS)

    def test_smoothing_and_flooding_reach_its_clean_loss_or_are_refused(
        self, name: str, inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
    ) -> None:
        if name in OWN_WEIGHTS:
            for key in ("label_smoothing", "flood"):
                with pytest.raises(ValidationError, match="0 for mate_kd"):
                    config_of(name, **{key: 0.1})
            return
        student = make_student(len(tokenizer)).eval()
        only = {"soft_weight": 0, "hard_weight": 1, "hidden_weight": 0}

        def clean(**changes: Any) -> Tensor:
            return parts_of(make(inputs, student, name, **only, **changes), student, batch, rows)[0]

        logits = student(**batch.inputs).logits
        torch.testing.assert_close(
            clean(label_smoothing=0.2), F.cross_entropy(logits, batch.labels, label_smoothing=0.2)
        )
        loss = clean()
        above, below = (clean(flood=loss.item() + step) for step in (0.3, -0.3))
        torch.testing.assert_close(above, loss + 0.6)
        torch.testing.assert_close(below, loss)
        weight = student.classifier.weight
        torch.testing.assert_close(
            torch.autograd.grad(above, weight), tuple(-one for one in torch.autograd.grad(below, weight))
        )

    def test_smoothing_holds_for_all_that_it_learns_of_the_teacher(
        self, name: str, inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
    ) -> None:
        """Where a method learns the same target on perturbed text, that is the smoothed one too."""
        if name in OWN_WEIGHTS:
            pytest.skip("takes none")
        student = make_student(len(tokenizer)).eval()
        settings = {"hard_weight": 0, "hidden_weight": 0}
        plain, smooth = (
            parts_of(make(inputs, student, name, label_smoothing=share, **settings), student, batch, rows)
            for share in (0.0, 0.3)
        )
        assert all(abs((one - other).item()) > 1e-4 for one, other in zip(plain, smooth, strict=True))

    def test_leaves_weights_and_gradients_alone_before_a_step(
        self, name: str, inputs: TrainingInputs, tokenizer: Any
    ) -> None:
        student = make_student(len(tokenizer)).train()
        method = make(inputs, student, name)
        before = [parameter.detach().clone() for parameter in student.parameters()]
        with private_generator(CPU, 5):
            for step in range(2):
                method.before_step(student, step)
        assert student.training
        for parameter, was in zip(student.parameters(), before, strict=True):
            assert parameter.grad is None and parameter.requires_grad and torch.equal(parameter, was)

    def test_asks_for_hidden_layers_only_where_it_reads_them(self, name: str) -> None:
        asked = required_layers(config_of(name, hidden_layers=[2, -1]))
        assert asked == ((2, -1) if METHODS[name].needs_hidden else ())


def test_the_losses_of_labels_add_up_with_their_weights(
    inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
) -> None:
    student = make_student(len(tokenizer)).eval()
    method = make(inputs, student, "kd", soft_weight=0.7, hard_weight=0.2, temperature=3.0)
    loss = loss_of(method, student, batch, rows)
    logits = student(**batch.inputs).logits
    soft = 9 * F.kl_div((logits / 3).log_softmax(-1), (rows.logits / 3).softmax(-1), reduction="batchmean")
    torch.testing.assert_close(loss, 0.7 * soft + 0.2 * F.cross_entropy(logits, batch.labels))


def test_hidden_states_add_the_mean_of_the_probes_errors(
    inputs: TrainingInputs, batch: Batch, rows: TeacherRows, tokenizer: Any
) -> None:
    student = make_student(len(tokenizer)).eval()
    method = make(inputs, student, "hidden_states", hidden_weight=0.4)
    plain = make(inputs, student, "kd")
    states = student(**batch.inputs, output_hidden_states=True).hidden_states
    mask = batch.attention_mask.bool()
    assert rows.hidden is not None
    probes = next(method.children())
    # Layer 1 of 2 belongs to the node half-way (the second of three), the last layer to the final norm.
    errors = [
        F.mse_loss(probe(states[position][mask]), rows.hidden[:, index])
        for index, (probe, position) in enumerate(zip(probes, (2, 4), strict=True))  # type: ignore[arg-type]
    ]
    expected = loss_of(plain, student, batch, rows) + 0.4 * (errors[0] + errors[1]) / 2
    torch.testing.assert_close(loss_of(method, student, batch, rows), expected)
    assert not math.isclose(errors[0].item(), 0.0)


def test_hidden_states_without_cached_states_is_a_programming_error(
    inputs: TrainingInputs, teacher_folder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    bare = teacher_outputs(teacher_folder, inputs.tokenised, (), tmp_path, CPU)
    with pytest.raises(ValueError, match="hidden_layers"):
        make(replace(inputs, outputs=bare), make_student(len(tokenizer)), "hidden_states")
