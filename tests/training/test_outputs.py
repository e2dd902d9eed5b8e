from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from damaged_files import DAMAGES
from training.tiny_models import CPU, make_split, make_tokenizer, save_model

from rosearch.data.batches import collate, evaluation_batches
from rosearch.data.mapped import CheckedRows
from rosearch.data.tasks import Task
from rosearch.data.tokens import TokenisedSplit, tokenise
from rosearch.errors import BadInput, DamagedError
from rosearch.models.saved import load_classifier
from rosearch.training import outputs as outputs_module
from rosearch.training.outputs import TeacherOutputs, teacher_outputs


@pytest.fixture(autouse=True)
def _float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs_module, "resolve_precision", lambda device, precision: "float32")


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """One entry for every time that a teacher is loaded to compute anything."""
    seen: list[Path] = []

    def counted(folder: Path) -> Any:
        seen.append(folder)
        return load_classifier(folder)

    monkeypatch.setattr(outputs_module, "load_classifier", counted)
    return seen


def test_logits_and_hidden_states_are_the_teachers_own_row_by_row(
    teacher_folder: Path, tokenised: TokenisedSplit, outputs: TeacherOutputs
) -> None:
    model, _ = load_classifier(teacher_folder)
    assert outputs.logits.shape == (len(tokenised), 2) and outputs.logits.dtype == np.float32
    assert outputs.hidden is not None
    assert outputs.hidden.shape == (len(tokenised.ids), 2, 32) and outputs.hidden.array.dtype == np.float16
    for row in (0, 5, len(tokenised) - 1):
        with torch.inference_mode():
            ids = torch.from_numpy(np.array(tokenised.row(row), np.int64))[None]
            output = model(input_ids=ids, output_hidden_states=True)
        torch.testing.assert_close(torch.tensor(outputs.logits[row]), output.logits[0], rtol=1e-4, atol=1e-5)
        states = torch.tensor(outputs.hidden[tokenised.offsets[row] : tokenised.offsets[row + 1]]).float()
        torch.testing.assert_close(states[:, 0], output.hidden_states[1][0], rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(states[:, 1], output.hidden_states[2][0], rtol=2e-3, atol=2e-3)


def test_the_rows_of_a_batch_come_in_its_own_order(tokenised: TokenisedSplit, outputs: TeacherOutputs) -> None:
    assert outputs.hidden is not None
    batch = collate(tokenised, np.array([9, 2, 30]))
    rows = outputs.rows(tokenised, batch)
    assert rows.hidden is not None
    assert torch.equal(rows.logits, torch.from_numpy(outputs.logits[[9, 2, 30]]))
    expected = np.concatenate(
        [outputs.hidden[tokenised.offsets[row] : tokenised.offsets[row + 1]] for row in (9, 2, 30)]
    )
    assert len(rows.hidden) == int(batch.attention_mask.sum())
    assert torch.equal(rows.hidden, torch.from_numpy(expected).float())


def test_outputs_are_computed_once_and_then_read_memory_mapped(
    teacher_folder: Path, tokenised: TokenisedSplit, tmp_path: Path, forwards: list[Path]
) -> None:
    first = teacher_outputs(teacher_folder, tokenised, (-1,), tmp_path, CPU)
    again = teacher_outputs(teacher_folder, tokenised, (2,), tmp_path, CPU)  # the same layer by its other name
    assert len(forwards) == 1
    assert first.key == again.key
    assert isinstance(again.logits, np.memmap) and isinstance(again.hidden, CheckedRows)
    assert np.array_equal(first.logits, again.logits)


@pytest.mark.parametrize("name", ["logits.npy", "hidden.npy"])
@pytest.mark.parametrize("damage", [*DAMAGES, "other"])
def test_damaged_outputs_are_computed_again(
    name: str, damage: str, teacher_folder: Path, tokenised: TokenisedSplit, tmp_path: Path, forwards: list[Path]
) -> None:
    whole = teacher_outputs(teacher_folder, tokenised, (1,), tmp_path, CPU)
    expected = np.array(whole.logits)
    path = tmp_path / "outputs" / whole.key / name
    if damage == "other":
        np.save(path, np.zeros((3, 2), np.float32))
    else:
        DAMAGES[damage](path)
    batch = next(evaluation_batches(tokenised, len(tokenised)))
    with suppress(DamagedError):  # hidden states are compared where they are read, not when they are opened
        teacher_outputs(teacher_folder, tokenised, (1,), tmp_path, CPU).rows(tokenised, batch)
    mended = teacher_outputs(teacher_folder, tokenised, (1,), tmp_path, CPU)
    assert len(forwards) == 2
    assert mended.hidden is not None and len(mended.hidden) == len(tokenised.ids)
    assert np.array_equal(mended.logits, expected)
    assert mended.rows(tokenised, batch).hidden is not None


def test_a_run_that_is_killed_half_way_leaves_nothing_that_looks_whole(
    teacher_folder: Path, tokenised: TokenisedSplit, tmp_path: Path
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teacher_outputs(teacher_folder, tokenised, (), tmp_path, CPU, stop)
    assert [path.suffix for path in (tmp_path / "outputs").iterdir()] == [".lock"]


def test_the_key_follows_weights_rows_tokenizer_and_layers(
    teacher_folder: Path, task: Task, tokenizer: Any, tmp_path: Path
) -> None:
    def key(folder: Path = teacher_folder, split: Any = task.train, words: Any = tokenizer, layers: Any = ()) -> str:
        return teacher_outputs(folder, tokenise(split, words, 16, tmp_path), layers, tmp_path, CPU).key

    other = save_model(tmp_path / "other", tokenizer, head=True, seed=1)
    keys = {
        "as it is": key(),
        "weights": key(folder=other),
        "rows": key(split=make_split(256, 77)),
        "tokenizer": key(words=make_tokenizer(("unheard",))),
        "layers": key(layers=(1,)),
    }
    assert len(set(keys.values())) == len(keys)
    assert key() == keys["as it is"]


def test_a_changed_weights_file_changes_the_key_in_the_same_process(
    tokenizer: Any, tokenised: TokenisedSplit, tmp_path: Path
) -> None:
    folder = save_model(tmp_path / "teacher", tokenizer, head=True, seed=1)
    before = teacher_outputs(folder, tokenised, (), tmp_path, CPU)
    save_model(folder, tokenizer, head=True, seed=2)
    after = teacher_outputs(folder, tokenised, (), tmp_path, CPU)
    assert before.key != after.key
    assert not np.array_equal(before.logits, after.logits)


def test_the_teacher_is_bit_identical_after_its_outputs_are_computed(
    teacher_folder: Path, tokenised: TokenisedSplit, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in teacher_folder.iterdir()}
    teacher_outputs(teacher_folder, tokenised, (0, 1, 2), tmp_path, CPU)
    assert {path.name: path.read_bytes() for path in teacher_folder.iterdir()} == before


@pytest.mark.parametrize("layers", [(3,), (-3,), (0, 7)])
def test_a_layer_that_the_teacher_lacks_is_bad_input(
    layers: tuple[int, ...], teacher_folder: Path, tokenised: TokenisedSplit, tmp_path: Path
) -> None:
    if layers == (-3,):
        assert teacher_outputs(teacher_folder, tokenised, layers, tmp_path, CPU).layers == (0,)
        return
    with pytest.raises(BadInput, match=r"distillation\.hidden_layers: expected layers of the teacher"):
        teacher_outputs(teacher_folder, tokenised, layers, tmp_path, CPU)


def test_a_teacher_with_broken_weights_is_refused_before_anything_is_trained(
    tokenizer: Any, tokenised: TokenisedSplit, tmp_path: Path
) -> None:
    model, _ = load_classifier(save_model(tmp_path / "sound", tokenizer, head=True))
    model.classifier.bias.fill_(float("nan"))
    folder = tmp_path / "broken"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with pytest.raises(BadInput, match="finite weights"):
        teacher_outputs(folder, tokenised, (), tmp_path, CPU)


def test_bfloat16_outputs_are_near_those_of_float32(
    teacher_folder: Path, tokenised: TokenisedSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = teacher_outputs(teacher_folder, tokenised, (-1,), tmp_path, CPU)
    monkeypatch.setattr(outputs_module, "resolve_precision", lambda device, precision: "bfloat16")
    near = teacher_outputs(teacher_folder, tokenised, (-1,), tmp_path, CPU)
    assert near.key != exact.key
    assert np.abs(near.logits - exact.logits).max() < 0.1 * np.abs(exact.logits).max()


def test_progress_counts_every_row(teacher_folder: Path, tokenised: TokenisedSplit, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    teacher_outputs(teacher_folder, tokenised, (), tmp_path, CPU, lambda *step: seen.append(step))
    assert seen[-1] == ("teacher outputs", len(tokenised), len(tokenised))
    assert len(seen) == len(list(evaluation_batches(tokenised, 64)))


def test_layers_are_counted_for_families_that_name_them_otherwise() -> None:
    for name in ("num_hidden_layers", "n_layers", "n_layer", "num_layers"):
        assert outputs_module._layer_count(json.loads(f'{{"{name}": 6}}')) == 6
