"""Means of a student's weights: where they begin, which is chosen, and that they survive a kill."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from training.stopped_training import stopped
from training.tiny_models import config_of, make_student, same_weights
from transformers import PreTrainedModel

from rosearch.errors import BadInput, RunError
from rosearch.measurements import Training
from rosearch.training.averaging import RunningMean, Snapshots
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.method import TrainingInputs
from rosearch.training.robust_kd import RobustKd
from rosearch.training.trainer import distil

STEPS = 8  # of 256 rows in batches of 32


class Adversary:
    """Measures what it is told, in turn; keeps the weights that it was asked about."""

    def __init__(self, *robust: float) -> None:
        self.robust = list(robust)
        self.asked: list[tuple[tuple[str, ...], int | None]] = []
        self.seen: list[torch.Tensor] = []

    def find(self, *_: Any) -> list[Any]:
        return []

    def under_attack(self, student: Any, attacks: Sequence[str], rows: int | None = None) -> float:
        assert not student.training
        self.asked.append((tuple(attacks), rows))
        self.seen.append(student.classifier.weight.detach().clone())
        return self.robust.pop(0)


def averaged(inputs: TrainingInputs, adversary: Adversary | None = None, **settings: Any) -> TrainingInputs:
    config = config_of("robust_kd", robust_kd={"sources": ["characters"], "ramp": 0.0, **settings})
    return replace(inputs, config=config, adversary=adversary)


@pytest.mark.parametrize(("robustness", "is_mean"), [(0.4, False), (0.5, True), (0.9, True)])
def test_the_running_mean_is_kept_where_it_is_as_robust(
    robustness: float, is_mean: bool, inputs: TrainingInputs, tokenizer: Any
) -> None:
    made = averaged(inputs, Adversary(0.5, robustness), average=0.5, attacks=["pwws"])
    plain, mean = (make_student(len(tokenizer)) for _ in range(2))
    distil(plain, averaged(inputs))
    distil(mean, made)
    assert same_weights(plain, mean) == (not is_mean)


def test_the_running_mean_begins_where_training_begins(tokenizer: Any) -> None:
    student, mean, seen = make_student(len(tokenizer)), RunningMean(0.75), []
    for _ in range(4):
        with torch.no_grad():
            student.classifier.weight.copy_(torch.randn_like(student.classifier.weight))
        seen.append(student.classifier.weight.detach().clone())
        mean.update(student)
    shares = torch.tensor([0.75**3, 0.75**2, 0.75, 1.0])
    expected = sum(share * value for share, value in zip(shares / shares.sum(), seen, strict=True))
    torch.testing.assert_close(mean.weights["classifier.weight"], expected)


def one_step(inputs: TrainingInputs, **settings: Any) -> TrainingInputs:
    made = averaged(inputs, **settings)
    return replace(made, config=made.config.model_copy(update={"max_steps": 1}))


def test_the_last_step_counts_in_the_running_mean(inputs: TrainingInputs, tokenizer: Any) -> None:
    mean, plain = (make_student(len(tokenizer)) for _ in range(2))
    untrained = {name: value.clone() for name, value in mean.state_dict().items()}
    distil(plain, one_step(inputs))
    distil(mean, one_step(inputs, average=0.998))
    assert same_weights(plain, mean)
    assert not all(torch.equal(value, untrained[name]) for name, value in mean.state_dict().items())


def test_a_checkpoint_whose_mean_begins_with_the_untrained_student_is_refused(
    inputs: TrainingInputs, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, student = averaged(inputs, average=0.5), make_student(len(tokenizer))
    with monkeypatch.context() as before:
        before.setattr(RobustKd, "content", lambda self: {})  # as rosearch 0.1.0 wrote it
        distil(student, made, Checkpoint(tmp_path / "checkpoint", every=0))
    with pytest.raises(RunError, match=r"running mean \(not stated there, begins after the first step here\)"):
        distil(student, made, Checkpoint(tmp_path / "checkpoint"))


@pytest.mark.parametrize(
    ("count", "share", "steps", "places"),
    [
        (4, 0.5, 100, {62, 75, 88}),  # and 100, the end
        (2, 1.0, 100, {50}),
        (4, 1.0, 3, {1, 2}),  # fewer steps than snapshots
        (5, 0.1, 4, set()),
    ],
)
def test_snapshots_are_spread_over_the_last_part_of_a_training(
    count: int, share: float, steps: int, places: set[int]
) -> None:
    config = config_of("robust_kd", robust_kd={"snapshots": count, "snapshot_share": share}).robust_kd
    assert Snapshots(config, steps).places == places


def trained(
    inputs: TrainingInputs, tokenizer: Any, checkpoint: Checkpoint | None = None
) -> tuple[PreTrainedModel, Training]:
    student = make_student(len(tokenizer))
    return student, distil(student, inputs, checkpoint)


FOUR = {"snapshots": 4, "snapshot_share": 1.0, "snapshot_rows": 30}  # after steps 2, 4, 6 and 8


def test_the_most_robust_snapshot_begins_and_others_come_in_where_the_mean_is_as_robust(
    inputs: TrainingInputs, tokenizer: Any
) -> None:
    # Alone: 2, 4, 6 and 8. Then 6 begins, 8 is equal to 4 and later, so it comes before 4, and 2 comes last.
    adversary = Adversary(0.2, 0.4, 0.5, 0.4, 0.5, 0.49, 0.6)
    student, training = trained(averaged(inputs, adversary, **FOUR), tokenizer)
    found = training.averaging
    assert found is not None and (found.steps, found.under_attack) == ((2, 4, 6, 8), (0.2, 0.4, 0.5, 0.4))
    assert (found.chosen, found.mean_under_attack) == ((6, 8, 2), 0.6)
    assert (found.attacks, found.rows) == (("deepwordbug",), 30)
    assert adversary.asked == [(("deepwordbug",), 30)] * 7
    expected = torch.stack([adversary.seen[at] for at in (2, 3, 0)]).mean(0)
    torch.testing.assert_close(student.classifier.weight.detach(), expected)


def test_weights_that_are_best_alone_stay_bit_by_bit(inputs: TrainingInputs, tokenizer: Any) -> None:
    plain, _ = trained(averaged(inputs), tokenizer)
    student, training = trained(averaged(inputs, Adversary(0.1, 0.1, 0.1, 0.9, 0.8, 0.8, 0.8), **FOUR), tokenizer)
    assert training.averaging is not None and training.averaging.chosen == (STEPS,)
    assert same_weights(plain, student)


@pytest.mark.parametrize(
    ("settings", "attacks"),
    [
        ({}, ("deepwordbug",)),
        ({"attacks": ["pwws"], "attack_every": 100}, ("pwws",)),
        ({"attacks": ["pwws"], "attack_every": 100, "snapshot_attacks": ["a2t-minilm"]}, ("a2t-minilm",)),
    ],
)
def test_the_choice_is_by_its_own_attacks_or_those_of_the_training(
    settings: dict[str, Any], attacks: tuple[str, ...], inputs: TrainingInputs, tokenizer: Any
) -> None:
    adversary = Adversary(*[0.5] * 3)
    trained(averaged(inputs, adversary, snapshots=2, **settings), tokenizer)
    assert adversary.asked == [(attacks, 200)] * 3


def test_without_an_attacker_snapshots_are_refused(inputs: TrainingInputs, tokenizer: Any) -> None:
    with pytest.raises(
        BadInput, match=r"robust_kd\.snapshot_attacks: expected none: nobody attacks here, got deepword"
    ):
        trained(averaged(inputs, **FOUR), tokenizer)


def test_snapshots_survive_a_kill_and_each_is_written_once(
    inputs: TrainingInputs, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    robust = (0.2, 0.4, 0.5, 0.4, 0.5, 0.49, 0.6)
    whole, training = trained(averaged(inputs, Adversary(*robust), **FOUR), tokenizer)
    plain, place = Checkpoint(tmp_path / "plain" / "checkpoint", every=0), Checkpoint(tmp_path / "checkpoint", every=0)
    trained(averaged(inputs), tokenizer, plain)
    for kills in range(1, 4):  # each ends two steps on, the last behind the second snapshot
        with stopped(KeyboardInterrupt, monkeypatch):
            trained(averaged(inputs, Adversary(), **FOUR), tokenizer, place)
        beside = sorted(tmp_path.glob("checkpoint.kept-*"))
        assert [path.name.rpartition("-")[2] for path in beside] == ["2", "4", "6"][: kills - 1]
    written = [path.stat().st_mtime_ns for path in beside]
    assert abs(place.path.stat().st_size - plain.path.stat().st_size) < 2000  # it holds no snapshot itself
    resumed, again = trained(averaged(inputs, Adversary(*robust), **FOUR), tokenizer, place)
    assert same_weights(resumed, whole) and again == training
    assert [path.stat().st_mtime_ns for path in beside] == written
    # Killed while it chose: nothing is trained again, and the choice is the same.
    resumed, again = trained(averaged(inputs, Adversary(*robust), **FOUR), tokenizer, Checkpoint(place.path, every=0))
    assert same_weights(resumed, whole) and again == training
    place.remove()
    assert not list(tmp_path.glob("checkpoint*"))


def test_a_snapshot_that_is_lost_or_damaged_ends_in_a_training_from_its_start(
    inputs: TrainingInputs, tokenizer: Any, tmp_path: Path
) -> None:
    robust, notes = [0.5] * 7, list[str]()
    place = Checkpoint(tmp_path / "checkpoint", every=0, note=notes.append)
    whole, training = trained(averaged(inputs, Adversary(*robust), **FOUR), tokenizer, place)
    (tmp_path / "checkpoint.kept-snapshot-4").write_bytes(b"rubbish")
    resumed, again = trained(averaged(inputs, Adversary(*robust), **FOUR), tokenizer, replace(place, written=set()))
    assert same_weights(resumed, whole) and again == training
    assert len(notes) == 2 and all("checkpoint.kept-snapshot-4: lost or damaged" in note for note in notes)


def test_a_training_that_pauses_before_its_first_snapshot_attacks_nothing(
    inputs: TrainingInputs, tokenizer: Any, tmp_path: Path
) -> None:
    adversary = Adversary(0.5, 0.5, 0.6)
    made, place = averaged(inputs, adversary, snapshots=2), tmp_path / "checkpoint"  # after steps 6 and 8
    _, training = trained(made, tokenizer, Checkpoint(place, until=0.5))
    assert training.steps == 4 and training.averaging is None and not adversary.asked
    _, training = trained(made, tokenizer, Checkpoint(place))
    assert training.averaging is not None and training.averaging.steps == (6, 8)


def test_a_training_without_snapshots_says_nothing_of_them(inputs: TrainingInputs, tokenizer: Any) -> None:
    _, training = trained(averaged(inputs), tokenizer)
    assert training.averaging is None and json.loads(json.dumps(asdict(training)))["averaging"] is None
