from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from command_line import rosearch
from small_run import Quiet, write_experiment
from transformers import AutoTokenizer, BertForSequenceClassification

from rosearch.config.file import load_experiment
from rosearch.materials.task import prepare_materials, quality_of
from rosearch.measurements import TeacherFacts
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.teacher import prepare_run

STUDENT = ("--student", "bert_mini", "--to", "out")


def test_quality_tells_of_a_constant_predictor() -> None:
    labels = np.array([0, 1, 1, 0])
    task = SimpleNamespace(problem="classification", metric="accuracy", labels=("no", "yes"))
    materials: Any = SimpleNamespace(task=task, split=lambda name: SimpleNamespace(labels=labels))
    constant = np.tile(np.array([[0.0, 1.0]], np.float32), (4, 1))
    assert "predicts yes" in quality_of(constant, materials, "test").collapse
    assert quality_of(np.eye(2, dtype=np.float32)[labels], materials, "test").collapse == ""


def test_quality_tells_of_every_class_and_fits_the_temperature_on_validation_rows() -> None:
    labels = {"validation": np.array([0, 1, 1, 0]), "test": np.array([0, 0, 1])}
    task = SimpleNamespace(problem="classification", metric="accuracy", labels=("no", "yes"))
    materials: Any = SimpleNamespace(task=task, split=lambda name: SimpleNamespace(labels=labels[name]))
    validation = np.float32([[9, 0], [0, 9], [9, 0], [9, 0]])
    alone = quality_of(validation, materials, "validation")
    test = quality_of(np.float32([[9, 0], [0, 9], [0, 9]]), materials, "test", validation)
    assert [(one.label, one.n, one.recall.value, one.precision) for one in test.per_class] == [
        (0, 2, 0.5, 1.0),
        (1, 1, 1.0, 0.5),
    ]
    assert alone.calibration is not None and test.calibration is not None
    assert test.calibration.temperature == alone.calibration.temperature > 1
    assert alone.calibration.scaled_error is None and test.calibration.scaled_error is not None


def test_students_learn_from_texts_without_labels_what_the_teacher_answers(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, "classification")
    data = tmp_path / "data"
    texts = [f"never a film {word}" for word in ("good", "bad", "dull", "slow", "bright")]
    (data / "more.csv").write_text("\n".join(["text", *texts]) + "\n")
    files = {"train": str(data / "train.tsv"), "test": str(data / "test.tsv")}
    task = {"name": "small", "text": ["text"], "labels": ["negative", "positive"], "max_length": 24}
    plain, more = (
        prepare_materials(load_experiment(path, [f"task={json.dumps({**task, 'files': named})}"]), tmp_path / "cache")
        for named in (files, {**files, "unlabelled": str(data / "more.csv")})
    )
    rows = len(plain.train)
    assert plain.transfer is plain.task.train and len(more.train) == rows + 5 == len(more.outputs.logits)
    assert more.transfer.texts[rows:] == tuple((text,) for text in texts)
    answers = more.outputs.logits[rows:].argmax(axis=1).tolist()
    assert more.transfer.labels[rows:].tolist() == answers == more.train.labels[rows:].tolist()
    assert more.transfer.labels[:rows].tolist() == plain.task.train.labels.tolist()
    assert more.teacher == plain.teacher  # it learns from no answer of its own


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment whose teacher has learnt its task, and whose outputs have no names and stand in the other order."""
    folder = tmp_path_factory.mktemp("turned")
    write_experiment(folder, "classification")
    train = pd.read_csv(folder / "data/train.tsv", sep="\t")
    tokenizer = AutoTokenizer.from_pretrained(folder / "teacher")
    model = BertForSequenceClassification.from_pretrained(folder / "teacher")
    batch = tokenizer(list(train["text"]), padding=True, return_tensors="pt")
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(60):
        model(**batch, labels=torch.tensor((train["label"] == "negative").to_numpy().astype(int))).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.config.id2label, model.config.label2id = {0: "LABEL_0", 1: "LABEL_1"}, {"LABEL_0": 0, "LABEL_1": 1}
    model.save_pretrained(folder / "teacher")
    return folder


@pytest.mark.parametrize(
    "command",
    [("check", "experiment.yaml"), ("search", "experiment.yaml"), ("distil", "--task", "experiment.yaml", *STUDENT)],
    ids=lambda command: command[0],
)
def test_a_teacher_whose_unnamed_classes_stand_in_another_order_is_refused(
    command: tuple[str, ...], turned: Path
) -> None:
    failed = rosearch(*command, cwd=turned, expect=3)
    assert "expected classes in the order of the task (negative, positive), got classes without names" in failed.stderr
    assert "in the order of its outputs: positive, negative fit best" in failed.stderr
    assert not (turned / "runs").exists() or command[0] == "search"


def test_a_teacher_that_may_be_no_better_than_chance_is_warned_of(tmp_path: Path) -> None:
    write_experiment(tmp_path, "classification")  # its teacher's head is random, its classes have names
    assert "where chance is" in " ".join(rosearch("check", "experiment.yaml", cwd=tmp_path).stdout.split())
    printed = rosearch("distil", "--task", "experiment.yaml", *STUDENT, cwd=tmp_path)
    assert "warning: the teacher is right on" in printed.stderr and "where chance is" in printed.stderr
    assert "The teacher is right on" in (tmp_path / "out/README.md").read_text()
    path = tmp_path / "teacher/config.json"
    config = json.loads(path.read_text()) | {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}
    path.write_text(json.dumps(config | {"label2id": {"LABEL_0": 0, "LABEL_1": 1}}))
    assert "right on" in rosearch("check", "experiment.yaml", cwd=tmp_path).stdout


def test_a_teacher_is_attacked_on_each_split_as_the_students_are(tmp_path: Path) -> None:
    suites = {"search": {"attacks": ["deepwordbug"], "rows": 4}, "report": {"attacks": ["pruthi"], "rows": 6}}
    path = write_experiment(tmp_path, "classification", evaluation={"robustness": suites})
    experiment = load_experiment(path)
    materials = prepare_materials(experiment, tmp_path / "cache")
    validation, test = (materials.measure_teacher(experiment, split=split) for split in ("validation", "test"))
    assert [[(one.attack, one.n) for one in found.attacks] for found in (validation, test)] == [
        [("deepwordbug", 4)],
        [("pruthi", 6)],
    ]
    assert validation.cost == test.cost


def test_a_teacher_that_was_measured_before_is_timed_alone_and_its_facts_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suites = {"search": {"attacks": ["deepwordbug"], "rows": 4}}
    experiment = load_experiment(write_experiment(tmp_path, "classification", evaluation={"robustness": suites}))
    materials = prepare_materials(experiment, tmp_path / "cache")
    alone, first = (replace(materials, cache=tmp_path / name).measure_teacher(experiment) for name in ("a", "cache"))
    monkeypatch.setattr("rosearch.materials.task.run_suite", None)  # a call would fail
    second = materials.measure_teacher(experiment)
    assert replace(second, latency_ms=first.latency_ms) == first

    def untimed(facts: TeacherFacts) -> TeacherFacts:
        attacks = tuple(replace(attack, seconds=0.0) for attack in facts.attacks)
        assert facts.robustness is not None
        return replace(facts, latency_ms=None, attacks=attacks, robustness=replace(facts.robustness, seconds=0.0))

    assert untimed(alone) == untimed(second)


class Told(Quiet):
    """An observer that remembers the notes."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_run_tells_and_keeps_what_was_left_out_and_what_is_doubted(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, "classification", task={"on_bad_rows": "drop"})
    with (tmp_path / "data/train.tsv").open("a") as file:
        file.write("\tpositive\n \tnegative\na film\t\n")
    assert "3 of train" in rosearch("check", path, cwd=tmp_path).stdout
    run, told = RunDirectory.create(tmp_path / "runs", load_experiment(path)), Told()
    with Store.open(run.store) as store:
        facts, _ = prepare_run(run, store, tmp_path / "runs/.cache", told)
    left_out, doubt = told.notes
    assert left_out == "rows without a text or a label were left out (task.on_bad_rows: drop): 3 of train"
    assert doubt.startswith("the teacher is right on") and facts.notes == (left_out, doubt)
    printed = " ".join(rosearch("status", run.path, cwd=tmp_path).stdout.split())
    assert left_out in printed and doubt in printed
    assert rosearch("status", run.path, "--json", cwd=tmp_path).data["teacher"]["notes"] == [left_out, doubt]


def test_a_row_without_a_text_is_refused_unless_it_is_to_be_dropped(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, "classification")
    with (tmp_path / "data/train.tsv").open("a") as file:
        file.write("\tpositive\n")
    failed = rosearch("check", path, cwd=tmp_path, expect=3)
    assert "none in row 121. task.on_bad_rows: drop leaves such rows out" in failed.stderr
