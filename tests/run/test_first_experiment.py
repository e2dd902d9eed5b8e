from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from own_data import QUEUES, write_own_data

from rosearch.config.file import load_experiment
from rosearch.config.plain_data import parse_yaml, read_yaml
from rosearch.config.task import FilesSource, TaskConfig
from rosearch.errors import BadInput
from rosearch.materials.own_data import Guesses
from rosearch.run.first_experiment import FirstExperiment, first_experiment
from rosearch.run.own_data import OwnData

OWN = OwnData(Path("a.csv"), text=("text",), label="label", teacher="my-bert")
GUESSES = Guesses("accuracy", "why", {"validation": 0.1, "test": 0.0455}, 3, 50)


def drafted(own: OwnData = OWN, **task: object) -> FirstExperiment:
    named = {"name": own.name, "text": list(own.text), "label": own.label or "", "max_length": 32, **task}
    made = TaskConfig.model_validate({"files": FilesSource(train=Path("a.csv")), "labels": ["a", "b"], **named})
    return FirstExperiment(
        own, own.name, made, GUESSES, ("labels a, b: those of the teacher", "max_length 32: 99 in 100")
    )


NAMES = [
    "yes",
    "No",
    "null",
    "1",
    "1.0",
    "0o17",
    "1e3",
    "a: b",
    "- c",
    "#",
    "'",
    '"',
    "ünï",
    "😀",
    "2026-11-30",
    " x",
    "~",
]


def test_names_of_any_kind_are_read_back_as_they_are_by_every_reader_of_yaml(tmp_path: Path) -> None:
    task = read_back(drafted(labels=NAMES), tmp_path)["task"]
    assert task["labels"] == NAMES
    assert yaml.safe_load(drafted(labels=NAMES).text())["task"]["labels"] == NAMES
    code = drafted(labels=NAMES).text()
    assert all(f'"{name}"' in code for name in ("yes", "1e3", "0o17"))  # which YAML 1.2 and 1.1 read differently


def test_a_long_list_of_labels_is_broken_over_lines() -> None:
    names = [f"class number {number}" for number in range(77)]
    text = drafted(labels=names).text()
    assert parse_yaml(text)["task"]["labels"] == names
    assert max(map(len, text.splitlines())) <= 120


def test_comments_stand_in_one_column_and_shares_are_those_that_were_guessed() -> None:
    text = drafted().text()
    assert parse_yaml(text)["task"]["files"] == {"train": "a.csv", "validation_share": 0.1, "test_share": 0.0455}
    columns = {line.index("  # ") for line in text.splitlines() if "  # " in line and not line.strip().startswith("#")}
    assert max(columns) - min(columns) <= 30 and "test_share: 0.0455          # of" in text


def test_paths_are_named_as_they_lie_from_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data/a.csv", "my-bert/config.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    own = OwnData(Path("data/a.csv"), test=Path("/far/b.csv"), text=("text",), label="label", teacher="my-bert")
    beside = parse_yaml(drafted(own).text(Path()))
    assert (beside["task"]["files"]["train"], beside["teacher"]) == ("data/a.csv", "./my-bert")
    deep = parse_yaml(drafted(own).text(Path("deep/er")))
    assert (deep["task"]["files"]["train"], deep["teacher"]) == ("../../data/a.csv", "../../my-bert")
    assert deep["task"]["files"]["test"] == "/far/b.csv"
    hub = OwnData(Path("a.csv"), text=("text",), label="label", teacher="bert-base-uncased")
    assert parse_yaml(drafted(hub).text(Path("deep")))["teacher"] == "bert-base-uncased"


def test_a_teacher_of_scores_makes_a_regression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from small_run import write_teacher

    monkeypatch.chdir(tmp_path)
    write_teacher(tmp_path / "scores", [])
    rows = "".join(f"the film {'good ' * (row % 5)}{row},{row % 5 + 0.5}\n" for row in range(60))
    (tmp_path / "a.csv").write_text(f"text,label\n{rows}")
    made = first_experiment(OwnData(Path("a.csv"), text=("text",), label="label", teacher="scores"))
    (tmp_path / "a.yaml").write_text(made.text(tmp_path))
    task = load_experiment(tmp_path / "a.yaml").task
    assert task is not None and (task.problem, task.metric, task.labels) == ("regression", "pearson", [])
    assert load_experiment(tmp_path / "a.yaml") == made.experiment()


def test_equal_files_give_equal_drafts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_own_data(tmp_path))
    own = OwnData(Path("tickets.csv"), text=("message",), label="queue", teacher="./my-bert")
    assert first_experiment(own).text() == first_experiment(own).text()
    assert first_experiment(own).task.labels == list(QUEUES)


def test_badly_skewed_classes_have_a_comment_that_makes_them_count() -> None:
    plain = drafted().text()
    skewed = replace(drafted(), guesses=replace(GUESSES, skew="930 training rows are other, 20 urgent")).text()
    added = [line for line in skewed.splitlines() if line not in plain.splitlines()]
    assert added == [
        "  # 930 training rows are other, 20 urgent. This makes rare classes count as much as the others:",
        "  # class_weights: balanced",
    ]
    assert parse_yaml(skewed) == parse_yaml(plain)
    followed = parse_yaml(skewed.replace("# class_weights", "class_weights"))
    assert followed["distillation"]["class_weights"] == "balanced"


def read_back(made: FirstExperiment, folder: Path) -> dict[str, dict[str, object]]:
    (folder / "a.yaml").write_text(made.text(folder), encoding="utf-8")
    return read_yaml(folder / "a.yaml")


def test_overrides_of_the_task_count_for_what_is_derived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_own_data(tmp_path))
    with Path("tickets.csv").open("a", encoding="utf-8") as file:
        file.write("999,,billing\n")
    own = OwnData(Path("tickets.csv"), text=("message",), label="queue", teacher="my-bert")
    with pytest.raises(BadInput, match="none in row 161"):
        first_experiment(own, overrides=("task.on_bad_rows=refuse",))
    made = first_experiment(own, overrides=("task.on_bad_rows=drop", "task.max_length=24", "evolution.candidates=3"))
    experiment = made.experiment(("task.on_bad_rows=drop", "task.max_length=24", "evolution.candidates=3"))
    task = experiment.require_task()
    assert (task.on_bad_rows, task.max_length, experiment.evolution.candidates) == ("drop", 24, 3)
    assert "as it was given" in made.text()


def test_rows_without_a_text_or_a_label_are_left_out_and_the_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_own_data(tmp_path))
    with Path("tickets.csv").open("a", encoding="utf-8") as file:
        file.write("998,,billing\n999,no queue,\n")
    own = OwnData(Path("tickets.csv"), text=("message",), label="queue", teacher="my-bert")
    made = first_experiment(own)
    assert "left out: 2 training rows without a text or a label" in made.told
    assert "  on_bad_rows: drop             # 2 training rows without a text or a label" in made.text().splitlines()
    assert read_back(made, tmp_path)["task"]["on_bad_rows"] == "drop"
    assert load_experiment(tmp_path / "a.yaml") == made.experiment()
    with Path("tickets.csv").open("a", encoding="utf-8") as file:
        file.write("1000,a text,complaints\n")  # no class of the teacher: the rows without any are told with it
    with pytest.raises(BadInput, match="none in row 161") as caught:
        first_experiment(own)
    assert "'complaints'" in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "name"), [("my file (2)", "my_file_2"), ("-x", "x"), ("größe", "gr_e"), ("*", "mine")]
)
def test_an_experiment_gets_a_name_that_a_folder_may_have_whatever_its_file_is_called(
    asked: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_own_data(tmp_path))
    own = OwnData(Path("tickets.csv"), text=("message",), label="queue", teacher="./my-bert")
    assert first_experiment(own, asked).experiment().name == name
