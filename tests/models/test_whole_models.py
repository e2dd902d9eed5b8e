"""A contract: whichever door a model comes in by, damage to its folder is one line, before anything is computed."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from command_line import rosearch
from models.damage import OF_TOKENIZERS, OF_VALUES, OF_WEIGHTS
from resources.tiny_encoder import write_encoder
from small_run import write_experiment
from training.tiny_models import bert_config, make_student, make_task, save_model
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, BertForMaskedLM

from rosearch.attack.inputs import find_classifier
from rosearch.config.teacher import TeacherConfig
from rosearch.distil.inputs import find_student
from rosearch.errors import BadInput
from rosearch.evaluation.attacks.stock.stand_ins import masked_lm_swap
from rosearch.materials.encoder import find_encoder
from rosearch.models import saved
from rosearch.models.saved import load_classifier, load_model
from rosearch.resources.resources import Resources
from rosearch.resources.sentence_encoder import read_sentence_encoder
from rosearch.student.build import load_student
from rosearch.student.inherit import check_initial, load_initial
from rosearch.training.encoder import load_encoder
from rosearch.training.generator import find_generator
from rosearch.training.teacher import find_teacher

TASK = make_task(train=8)


@dataclass(frozen=True)
class Door:
    """How a kind of model is looked at, and how it is loaded. `make` gives a whole folder."""

    make: Callable[[Path, Any], Path]
    look: Callable[[Path], object]
    load: Callable[[Path], object]
    tokenizer: bool = True  # its folder holds one that is read


def classifier(folder: Path, tokenizer: Any) -> Path:
    return save_model(folder, tokenizer, head=True)


def masked_lm(folder: Path, tokenizer: Any) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertForMaskedLM(bert_config(len(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def student(folder: Path, tokenizer: Any) -> Path:
    make_student(len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def teacher(folder: Path) -> object:
    return find_teacher(TeacherConfig(model=str(folder)), TASK, 16)


def encoder_teacher(folder: Path) -> object:
    distillation = SimpleNamespace(encoder=SimpleNamespace(objective="relations"), inherit="none")
    corpus, named = SimpleNamespace(block_length=16), SimpleNamespace(base=str(folder))
    return find_encoder(SimpleNamespace(corpus=corpus, teacher=named, distillation=distillation))  # type: ignore[arg-type]


def start(folder: Path) -> object:
    return load_model(AutoModelForSequenceClassification, folder, trains_head=True)


DOORS = {
    "teacher": Door(classifier, teacher, load_classifier),
    "teacher to fine-tune": Door(save_model, teacher, start),
    "teacher of encoders": Door(save_model, encoder_teacher, load_encoder),
    "victim": Door(classifier, lambda f: find_classifier(str(f)), lambda f: find_classifier(str(f)).load()),
    "student": Door(classifier, lambda f: find_student(str(f)), lambda f: find_student(str(f)).load(TASK, 1)),
    "student without a head": Door(save_model, lambda f: find_student(str(f)), start),
    "student of ours": Door(student, lambda f: find_student(str(f)), lambda f: load_student(f, head=True)),
    "generator": Door(masked_lm, lambda f: find_generator(str(f)), lambda f: load_model(AutoModelForMaskedLM, f)),
    "masked LM": Door(
        masked_lm,
        lambda f: Resources(f.parent).require(["masked_lm"], "attack bae"),
        lambda f: masked_lm_swap(SimpleNamespace(), Resources(f.parent), None),  # type: ignore[arg-type]
    ),
    "sentence encoder": Door(
        lambda folder, _: write_encoder(folder),
        lambda f: Resources(f.parent).require(["sentence_encoder"], "attack"),
        read_sentence_encoder,
    ),
    "first weights": Door(student, lambda f: check_initial(str(f)), lambda f: load_initial(str(f)), tokenizer=False),
}
NAMES = {"masked LM": "masked_lm", "sentence encoder": "sentence_encoder"}  # folders of resources
SEEN = {**OF_WEIGHTS, **OF_TOKENIZERS}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return {name: door.make(folder / name, tokenizer) for name, door in DOORS.items()}


def refused(call: Callable[[Path], object], folder: Path) -> str:
    """The line of the problem; all doors give it the exit code of bad input."""
    with pytest.raises(BadInput) as caught:
        call(folder)
    assert caught.value.exit_code == 3
    line = str(caught.value)
    assert "\n" not in line and len(line) < 1000 and "expected" in line and ", got " in line
    return line


@pytest.mark.parametrize("name", DOORS)
def test_a_whole_model_is_let_in_by_every_door(name: str, whole: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(whole[name], tmp_path / NAMES.get(name, "model"))
    before = torch.random.get_rng_state()
    DOORS[name].look(folder)
    assert torch.equal(torch.random.get_rng_state(), before), "to look at a model draws no numbers"
    if name != "masked LM":  # TextAttack's part is made around it
        DOORS[name].load(folder)


@pytest.mark.parametrize("damage", SEEN)
@pytest.mark.parametrize("name", DOORS)
def test_damage_is_one_line_at_every_door_before_weights_are_loaded(
    name: str, damage: str, whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if damage in OF_TOKENIZERS and not DOORS[name].tokenizer:
        pytest.skip("no tokenizer is read")
    if (name, damage) == ("student of ours", "no tokenizer"):
        pytest.skip("it reads with the tokenizer of its run, or the teacher's")
    folder = shutil.copytree(whole[name], tmp_path / NAMES.get(name, "model"))
    break_it, told = SEEN[damage]
    break_it(folder)
    monkeypatch.setattr(saved, "not_finite", lambda _: pytest.fail("weights were loaded"))
    assert told in refused(DOORS[name].look, folder)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("experiment"), "classification").parent


COMMANDS = {
    "check": ("check", "experiment.yaml", "-o", "teacher.model=damaged"),
    "search": ("search", "experiment.yaml", "-o", "teacher.model=damaged"),
    "distil": ("distil", "--teacher", "damaged", "--student", "tinybert4", "--task", "experiment.yaml", "--to", "out"),
    "distil a student": ("distil", "--student", "damaged", "--task", "experiment.yaml", "--to", "out"),
    "attack": ("attack", "damaged", "--attack", "deepwordbug", "--task", "data/test.tsv"),
}


@pytest.mark.parametrize("damage", ["wrapped", "missing tensors", "pointer", "pickled", "more words than rows"])
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_refuse_a_model_that_is_not_whole_before_anything_is_written(
    command: str, damage: str, experiment: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(experiment, tmp_path / "here")
    shutil.copytree(folder / "teacher", folder / "damaged")
    break_it, told = SEEN[damage]
    break_it(folder / "damaged")
    before = sorted(folder.rglob("*"))
    printed = rosearch(*COMMANDS[command], cwd=folder, expect=3)
    (line,) = printed.stderr.splitlines()
    assert told in line and line.startswith("error ") and "Traceback" not in line
    assert sorted(folder.rglob("*")) == before


def test_one_place_loads_models_and_says_each_time_whether_code_may_run() -> None:
    """transformers 5 asks at a terminal where nobody says so."""
    calls = {}
    for path in sorted(Path(saved.__file__).parent.parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "from_pretrained":
                calls.setdefault(path.name, []).append(ast.unparse(node))
    # `parts` loads from memory; a tokenizer of ours hands on what it was asked.
    assert set(calls) == {"saved.py", "parts.py", "tokenization_rosearch.py"}
    unsaid = [call for call in calls["saved.py"] if "trust_remote_code" not in call]
    assert unsaid == ["ours.from_pretrained(folder, local_files_only=True)"]


@pytest.mark.parametrize("damage", [*OF_WEIGHTS, *OF_VALUES])
@pytest.mark.parametrize("name", DOORS)
def test_what_is_damaged_later_is_one_line_when_it_is_loaded(
    name: str, damage: str, whole: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(whole[name], tmp_path / NAMES.get(name, "model"))
    break_it, told = {**OF_WEIGHTS, **OF_VALUES}[damage]
    break_it(folder)
    assert told in refused(DOORS[name].load, folder)
