from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from training.killed_training import small_inputs, small_student
from training.tiny_models import FILLERS, GOOD, config_of, same_weights, save_masked_lm

from rosearch.errors import RunError
from rosearch.measurements import Training
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.training import quick_steps
from rosearch.training.checkpoint import Checkpoint, saved
from rosearch.training.method import TrainingInputs
from rosearch.training.trainer import METHODS, distil

SCRIPT = Path(__file__).with_name("killed_training.py")
STEPS = 10


@pytest.fixture
def places(tmp_path: Path) -> Callable[..., Checkpoint]:
    """A checkpoint that is written after every step, and keeps what it notes."""

    def make(**changes: Any) -> Checkpoint:
        return Checkpoint(tmp_path / "checkpoint", **{"every": 0.0, **changes})

    return make


class StruckError(Exception):
    """Ends a training half-way."""


def trained(
    inputs: TrainingInputs, checkpoint: Checkpoint | None = None, until: int | None = None
) -> tuple[StudentForSequenceClassification, Training | None]:
    """A student after a training; struck at the start of the step `until`."""
    method = METHODS[inputs.config.method]
    before = method.before_step

    def struck(self: Any, student: Any, step: int) -> None:
        if step == until:
            raise StruckError
        before(self, student, step)

    student = small_student(inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method, "before_step", struck)
        try:
            return student, distil(student, inputs, checkpoint)
        except StruckError:
            return student, None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stops", [(1,), (7,), (3, 4, 9)])
def test_a_training_that_was_stopped_goes_on_to_the_same_bits(
    method: str, stops: tuple[int, ...], places: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    inputs = small_inputs(method, tmp_path)
    student, training = trained(inputs)
    notes: list[str] = []
    for stop in stops:
        assert trained(inputs, places(note=notes.append), stop)[1] is None
    resumed, again = trained(inputs, places(note=notes.append))
    assert notes == [f"goes on at step {stop} of {STEPS}" for stop in stops]
    assert same_weights(resumed, student) and again == training


def test_with_a_sparse_word_table_it_goes_on_to_the_same_bits(
    places: Callable[..., Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_steps, "_SPARSE_ROWS", 1)
    inputs = small_inputs("kd", tmp_path)
    student, _ = trained(inputs)
    trained(inputs, places(), 6)
    assert same_weights(trained(inputs, places())[0], student)


def test_writing_checkpoints_changes_no_bit_of_a_training(places: Callable[..., Checkpoint], tmp_path: Path) -> None:
    inputs = small_inputs("kd", tmp_path)
    (plain, first), (watched, second) = trained(inputs), trained(inputs, places())
    assert same_weights(plain, watched) and first == second


def test_a_finished_training_is_not_trained_again(places: Callable[..., Checkpoint], tmp_path: Path) -> None:
    inputs = small_inputs("kd", tmp_path)
    student, training = trained(inputs, places())
    again, same = trained(inputs, places(), 0)  # would be struck by any step
    assert same == training and same_weights(again, student)


def test_it_is_not_written_more_often_than_asked(places: Callable[..., Checkpoint], tmp_path: Path) -> None:
    inputs = small_inputs("kd", tmp_path)
    trained(inputs, places(every=3600.0), 9)
    assert not places().path.exists()
    trained(inputs, places(every=3600.0))
    assert places().path.exists() and not places().previous.exists()  # once, at the end


def test_on_a_slow_disk_it_is_written_less_often(
    places: Callable[..., Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, writes = [0.0], []

    def slow(self: Checkpoint, state: Any) -> None:
        writes.append(now[0])
        now[0] += 5

    monkeypatch.setattr("rosearch.training.checkpoint.time.monotonic", lambda: now[0])
    monkeypatch.setattr(Checkpoint, "save", slow)
    with saved(places(every=10.0), dict) as after_step:
        for _ in range(300):
            now[0] += 1
            after_step(False)
    assert writes == [10, 115, 220]  # 5 seconds of writing in 105


@pytest.mark.parametrize(("signal", "step"), [("SIGKILL", 4), pytest.param("SIGINT", 4, marks=pytest.mark.slow)])
def test_a_killed_process_leaves_a_training_that_goes_on_to_the_same_bits(
    signal: str, step: int, places: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    command = [sys.executable, str(SCRIPT), signal, str(step), "kd", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode != 0 and (signal == "SIGKILL" or "KeyboardInterrupt" in ended.stderr), ended.stderr
    inputs = small_inputs("kd", tmp_path)
    notes: list[str] = []
    resumed, _ = trained(inputs, places(note=notes.append))
    # Ctrl-C lets the step end that it falls into.
    assert notes == [f"goes on at step {step + (signal == 'SIGINT')} of {STEPS}"]
    assert same_weights(resumed, trained(inputs)[0])


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _flip, _empty])
def test_a_damaged_file_is_passed_over_with_a_note_for_the_one_before(
    damage: Callable[[Path], None], places: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    inputs = small_inputs("kd", tmp_path)
    student, _ = trained(inputs)
    trained(inputs, places(), 6)
    notes: list[str] = []
    damage(places().path)
    trained(inputs, places(note=notes.append), 5)  # the one before the last
    assert "damaged" in notes[0] and str(places().path) in notes[0] and notes[1] == f"goes on at step 5 of {STEPS}"
    damage(places().previous)
    assert places(note=notes.append).load() is None
    assert same_weights(trained(inputs, places(note=notes.append))[0], student)


def test_a_kill_between_the_two_renames_leaves_the_one_before(
    places: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    inputs = small_inputs("kd", tmp_path)
    trained(inputs, places(), 6)
    places().path.replace(places().previous)
    notes: list[str] = []
    resumed, _ = trained(inputs, places(note=notes.append))
    assert notes == [f"goes on at step 6 of {STEPS}"] and same_weights(resumed, trained(inputs)[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda inputs: replace(inputs, seed=2), "seed (1 there, 2 here)"),
        (
            lambda inputs: replace(inputs, config=config_of("kd", batch_size=8, epochs=2)),
            "epochs (1.25 there, 2.0 here)",
        ),
        (lambda inputs: replace(inputs, outputs=replace(inputs.outputs, key="0" * 32)), "teacher"),
        (lambda inputs: replace(inputs, tokenised=replace(inputs.tokenised, key="0" * 32)), "data"),
    ],
)
def test_the_state_of_another_training_is_refused_unless_told_to_start_over(
    change: Callable[[TrainingInputs], TrainingInputs], said: str, places: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    inputs = small_inputs("kd", tmp_path)
    trained(inputs, places(), 3)
    other = change(inputs)
    with pytest.raises(RunError) as caught:
        trained(other, places())
    assert said in str(caught.value) and str(places().path) in str(caught.value)
    assert same_weights(trained(other, places(fresh=True))[0], trained(other)[0])


def test_the_state_of_another_training_that_nobody_could_choose_is_removed_with_a_note(
    places: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    inputs = small_inputs("kd", tmp_path)
    trained(inputs, places(), 3)
    other, notes = replace(inputs, seed=2), list[str]()
    found, _ = trained(other, places(note=notes.append, disposable=True))
    assert same_weights(found, trained(other)[0])
    assert len(notes) == 1 and notes[0].endswith("differs in seed (1 there, 2 here); removed")


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it(places: Callable[..., Checkpoint]) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with saved(places(), dict) as after_step:
            os.kill(os.getpid(), signal.SIGINT)
            after_step(False)
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_architecture_and_other_first_weights_are_another_training(
    places: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    inputs = small_inputs("kd", tmp_path)
    trained(inputs, places(), 3)
    student = small_student(inputs)
    student.config.dropout = 0.3
    with pytest.raises(RunError, match="differs in model"):
        distil(student, inputs, places())
    with pytest.raises(RunError, match="differs in student"):
        trained(inputs, places().of({"student": "other"}))


def test_a_full_disk_does_not_end_a_training(
    places: Callable[..., Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    inputs = small_inputs("kd", tmp_path)
    notes: list[str] = []
    monkeypatch.setattr("os.fsync", full)
    student, _ = trained(inputs, places(note=notes.append))
    assert same_weights(student, trained(inputs)[0])
    assert len(notes) == STEPS and "No space left" in notes[0] and not places().path.exists()


def test_a_key_that_was_added_is_named_where_it_changes_the_training_alone(
    places: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    """A file from before the key has nothing of it, and goes on."""
    inputs = small_inputs("kd", tmp_path)
    trained(inputs, places(), 3)
    assert "class_weights" not in torch.load(places().path, weights_only=True)["content"]
    weighed = replace(inputs, config=inputs.config.model_copy(update={"class_weights": "balanced"}))
    with pytest.raises(RunError, match=r"class_weights \(not stated there, balanced here\)"):
        trained(weighed, places())


def test_keys_of_a_section_that_were_added_are_told_likewise(places: Callable[..., Checkpoint], tmp_path: Path) -> None:
    inputs = small_inputs("robust_kd", tmp_path)
    trained(inputs, places(), 3)
    content = torch.load(places().path, weights_only=True)["content"]
    assert "'guide'" not in content["robust_kd"] and "snapshots" not in content["robust_kd"] and "flood" not in content
    section = inputs.config.robust_kd.model_copy(update={"guide": "ngrams"})
    with pytest.raises(RunError, match="differs in robust_kd"):
        trained(replace(inputs, config=inputs.config.model_copy(update={"robust_kd": section})), places())


DEFENCES: dict[str, dict[str, Any]] = {
    "refill": {"robust_kd": {"sources": ["refill", "characters"]}},
    "ngrams": {"robust_kd": {"sources": ["synonyms"], "guide": "ngrams"}},
    "smoothing and flooding": {"label_smoothing": 0.1, "flood": 0.6},
    "all": {
        "robust_kd": {"sources": ["refill", "synonyms"], "guide": "ngrams", "average": 0.9},
        "label_smoothing": 0.1,
        "flood": 0.6,
    },
}


@pytest.mark.parametrize("name", DEFENCES)
def test_with_a_defence_it_goes_on_to_the_same_bits_and_equal_seeds_give_equal_students(
    name: str, places: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    inputs = small_inputs("robust_kd", tmp_path)
    save_masked_lm(tmp_path / "masked_lm", inputs.tokenizer)
    lists = {word: [other for other in (*GOOD, *FILLERS) if other != word] for word in (*GOOD, *FILLERS)}
    (tmp_path / "counterfitted_neighbors.json").write_text(json.dumps(lists))
    config = config_of("robust_kd", batch_size=8, epochs=1.25, **DEFENCES[name])
    defended = replace(inputs, config=config, resources=tmp_path)
    student, training = trained(defended)
    assert not same_weights(student, trained(inputs)[0])
    trained(defended, places(), 4)
    resumed, again = trained(defended, places())
    assert same_weights(resumed, student) and again == training


def test_settings_of_other_methods_do_not_matter(places: Callable[..., Checkpoint], tmp_path: Path) -> None:
    inputs = small_inputs("kd", tmp_path)
    trained(inputs, places(), 3)
    config = config_of("kd", batch_size=8, epochs=1.25, ad2={"weight": 3.0})
    notes: list[str] = []
    trained(replace(inputs, config=config), places(note=notes.append))
    assert notes == [f"goes on at step 3 of {STEPS}"]


def test_nothing_in_a_checkpoint_is_unpickled(places: Callable[..., Checkpoint], tmp_path: Path) -> None:
    """A file that would run code when unpickled is whole and yet refused."""
    touched = tmp_path / "touched"

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (touched,)

    places().save({"evil": Evil()})
    notes: list[str] = []
    assert places(note=notes.append).load() is None and "damaged" in notes[0]
    assert not touched.exists()


def test_the_loss_is_told_every_few_steps(tmp_path: Path) -> None:
    inputs = small_inputs("kd", tmp_path)
    inputs = replace(inputs, config=config_of("kd", batch_size=8, epochs=4))
    told: list[tuple[int, int, float]] = []
    training = distil(small_student(inputs), inputs, on_loss=lambda *what: told.append(what))
    assert [(step, steps) for step, steps, _ in told] == [(20, 32), (32, 32)]
    assert all(torch.tensor(loss).isfinite() for *_, loss in told) and training.steps == 32


@pytest.mark.parametrize("method", METHODS)
def test_a_training_that_pauses_twice_is_one_training_bit_for_bit(
    method: str, places: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    inputs = small_inputs(method, tmp_path)
    student, training = trained(inputs)
    notes: list[str] = []
    legs = [
        trained(inputs, places(every=3600.0, until=share, expected=True, note=notes.append)) for share in (0.2, 0.5, 1)
    ]
    assert [leg.steps for _, leg in legs if leg is not None] == [2, 5, STEPS]
    assert same_weights(legs[-1][0], student) and legs[-1][1] == training
    assert notes == []


def test_a_state_behind_the_pause_is_not_gone_on_from(places: Callable[..., Checkpoint], tmp_path: Path) -> None:
    inputs = small_inputs("kd", tmp_path)
    first, _ = trained(inputs, places(until=0.2))
    trained(inputs, places())
    again, training = trained(inputs, places(until=0.2))
    assert training is not None and training.steps == 2 and same_weights(again, first)
