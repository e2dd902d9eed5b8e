from __future__ import annotations

import csv
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from data.conftest import make_config

from rosearch.data.loading import found_labels, load_task
from rosearch.errors import BadInput, MissingResource


def write_tsv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    path.write_text("".join("\t".join(row) + "\n" for row in [header, *rows]), encoding="utf-8")


def reviews(count: int, start: int = 0) -> list[list[str]]:
    return [[f'film "{row} is {"good" if row % 2 else "bad"}', str(row % 2)] for row in range(start, start + count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tsv(tmp_path / "train.tsv", ["text", "label"], reviews(100))
    write_tsv(tmp_path / "test.tsv", ["text", "label"], reviews(20, start=100))
    return tmp_path


def problems_of(folder: Path, **changes: Any) -> list[str]:
    with pytest.raises(BadInput) as caught:
        load_task(make_config(path=folder, **changes), seed=1)
    return [str(problem) for problem in caught.value.problems]


def test_a_folder_gives_three_splits_that_share_no_row(folder: Path) -> None:
    task = load_task(make_config(path=folder), seed=1)
    assert (len(task.train), len(task.validation), len(task.test)) == (92, 8, 20)
    assert (task.name, task.problem, task.metric, task.labels) == (
        "reviews",
        "classification",
        "accuracy",
        ("negative", "positive"),
    )
    assert set(task.train.texts).isdisjoint(task.validation.texts)
    assert sorted(task.train.texts + task.validation.texts) == sorted((text,) for text, _ in reviews(100))
    assert task.test.texts == tuple((text,) for text, _ in reviews(20, start=100))
    for split in (task.train, task.validation, task.test):
        assert [int("good" in text) for (text,) in split.texts] == split.labels.tolist()
    assert np.bincount(task.validation.labels).tolist() == [4, 4]


def test_equal_seeds_give_equal_tasks_and_the_test_split_never_changes(folder: Path) -> None:
    one, again, other = (load_task(make_config(path=folder, train_rows=50), seed) for seed in (1, 1, 2))
    assert one.fingerprint == again.fingerprint
    assert one.validation.texts != other.validation.texts
    assert one.train.texts != other.train.texts
    assert one.test.fingerprint == other.test.fingerprint


def test_fewer_training_rows_do_not_change_the_validation_split(folder: Path) -> None:
    whole, less = (load_task(make_config(path=folder, train_rows=rows), seed=1) for rows in (None, 40))
    assert whole.validation.fingerprint == less.validation.fingerprint
    assert len(less.train) == 40 and set(less.train.texts) < set(whole.train.texts)
    assert np.bincount(less.train.labels).tolist() == [20, 20]


def test_a_validation_file_is_used_as_it_is(folder: Path) -> None:
    write_tsv(folder / "dev.tsv", ["text", "label"], reviews(6, start=200))
    local = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
    task = load_task(make_config(path=folder, local=local), seed=1)
    assert len(task.train) == 100
    assert task.validation.texts == tuple((text,) for text, _ in reviews(6, start=200))


def test_files_may_name_and_spell_everything_otherwise(tmp_path: Path) -> None:
    rows = [[str(row), f"premise {row}", f"claim {row}", "-+"[row % 2]] for row in range(40)]
    write_tsv(tmp_path / "train.tsv", ["id", "#1 String", "#2 String", "Quality"], rows)
    with (tmp_path / "test.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([["Quality", "#2 String", "#1 String"], ["+", "claim", "a, premise"]])
    config = make_config(
        path=tmp_path,
        text=["sentence1", "sentence2"],
        local={
            "train": "train.tsv",
            "test": "test.csv",
            "text": ["#1 String", "#2 String"],
            "label": "Quality",
            "label_values": ["-", "+"],
        },
    )
    task = load_task(config, seed=1)
    assert task.test.texts == (("a, premise", "claim"),)
    assert task.test.labels.tolist() == [1]
    assert all(first.split()[1] == second.split()[1] for first, second in task.train.texts)
    assert all(int(first.split()[1]) % 2 == label for (first, _), label in zip(task.train.texts, task.train.labels))


def test_every_format_gives_the_same_task(folder: Path) -> None:
    expected = load_task(make_config(path=folder), seed=1).fingerprint
    frame = pd.DataFrame(reviews(100), columns=["text", "label"])
    frame.to_parquet(folder / "train.parquet")
    (folder / "train.tsv.xz").write_bytes(lzma.compress((folder / "train.tsv").read_bytes()))
    frame.to_csv(folder / "train.csv", index=False)
    lines = (json.dumps({"label": int(label), "text": text}) for text, label in reviews(100))
    (folder / "train.jsonl").write_text("\n".join(lines))
    for name in ("train.parquet", "train.tsv.xz", "train.csv", "train.jsonl"):
        task = load_task(make_config(path=folder, local={"train": name, "test": "test.tsv"}), seed=1)
        assert task.fingerprint == expected, name


def test_a_regression_task_has_scores(tmp_path: Path) -> None:
    rows = [[f"text {row}", str(row / 10)] for row in range(50)]
    for name in ("train.tsv", "test.tsv"):
        write_tsv(tmp_path / name, ["text", "label"], rows)
    config = make_config(path=tmp_path, problem="regression", labels=[], metric="pearson", train_rows=20)
    task = load_task(config, seed=1)
    assert task.num_labels == 1 and task.labels == ()
    assert task.train.labels.dtype == np.float32 and len(task.train) == 20
    assert task.test.labels[10] == np.float32(1.0)


def test_a_generated_task_needs_no_files() -> None:
    config = make_config(generated={"train": 64, "validation": 16, "test": 16})
    task = load_task(config, seed=1)
    assert (len(task.train), len(task.validation), len(task.test)) == (64, 16, 16)
    assert task.fingerprint == load_task(config, seed=1).fingerprint
    assert task.fingerprint != load_task(config, seed=2).fingerprint


def test_problems_of_all_splits_are_reported_at_once(folder: Path) -> None:
    write_tsv(folder / "train.tsv", ["text", "label"], [*reviews(30), [" ", "0"], ["fine", "2"]])
    write_tsv(folder / "test.tsv", ["text", "target"], reviews(4))
    found = problems_of(folder)
    assert found == [
        f"{folder}/train.tsv: column 'text': expected text in every row, got none in row 31. "
        "task.on_bad_rows: drop leaves such rows out",
        f"{folder}/train.tsv: column 'label': expected negative, positive, or their integers 0 to 1, "
        "got '2' in 1 of 32 rows. give task.local.label_values",
        f"{folder}/test.tsv: expected a column 'label', got only 'text', 'target'. "
        "name the columns in task.local.text and task.local.label",
    ]


def test_an_empty_split_is_a_problem(folder: Path) -> None:
    write_tsv(folder / "test.tsv", ["text", "label"], [])
    assert problems_of(folder) == [f"{folder}/test.tsv: expected at least one row, got none"]


def test_missing_files_are_reported_together(folder: Path) -> None:
    found = problems_of(folder, local={"train": "no.tsv", "validation": "nor.csv", "test": "test.tsv"})
    assert [line.split(": expected")[0] for line in found] == [f"{folder}/no.tsv", f"{folder}/nor.csv"]
    assert all("the folder holds test.tsv, train.tsv" in line for line in found)


def test_a_label_without_training_rows_is_a_problem(folder: Path) -> None:
    found = problems_of(folder, labels=["negative", "positive", "neutral"])
    assert found == [f"{folder}/train.tsv: expected rows of every label, got none of neutral"]


@pytest.mark.parametrize(("key", "rows", "most"), [("validation_rows", 51, 50), ("train_rows", 93, 92)])
def test_more_rows_than_there_are_is_a_problem(key: str, rows: int, most: int, folder: Path) -> None:
    (found,) = problems_of(folder, **{key: rows})
    assert found.startswith(f"{folder}/train.tsv: task.{key}: expected at most {most}")
    assert found.endswith(f"got {rows}")


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingResource) as caught:
        load_task(make_config(path=tmp_path / "gone"), seed=1)
    message = str(caught.value)
    assert str(tmp_path / "gone") in message and "--data-root" in message and "task.path" in message
    assert "\n" not in message


def files_config(folder: Path, **changes: Any) -> Any:
    files = {"train": folder / "train.tsv", **changes.pop("files", {})}
    return make_config(**{"local": {}, "files": files, **changes})


def test_files_without_a_test_file_give_three_splits_that_share_no_row(folder: Path) -> None:
    task = load_task(files_config(folder), seed=1)
    assert (len(task.train), len(task.validation), len(task.test)) == (75, 10, 15)
    assert sorted((*task.train.texts, *task.validation.texts, *task.test.texts)) == sorted(
        (text,) for text, _ in reviews(100)
    )
    assert np.bincount(task.validation.labels).tolist() == [5, 5]
    again, other = (load_task(files_config(folder), seed) for seed in (1, 2))
    assert task.fingerprint == again.fingerprint and task.test.texts != other.test.texts


def test_files_that_are_named_are_used_as_they_are(folder: Path) -> None:
    write_tsv(folder / "dev.tsv", ["text", "label"], reviews(6, start=200))
    named = {"validation": folder / "dev.tsv", "test": folder / "test.tsv"}
    task = load_task(files_config(folder, files=named), seed=1)
    assert (len(task.train), len(task.validation), len(task.test)) == (100, 6, 20)
    shares = {"test": folder / "test.tsv", "validation_share": 0.2, "test_share": 0.4}
    task = load_task(files_config(folder, files=shares), seed=1)
    assert (len(task.train), len(task.validation), len(task.test)) == (80, 20, 20)


def test_texts_without_labels_are_rows_of_their_own(folder: Path) -> None:
    (folder / "more.jsonl").write_text("".join(json.dumps({"text": f"film {row}"}) + "\n" for row in range(7)))
    plain = load_task(files_config(folder), seed=1)
    task = load_task(files_config(folder, files={"unlabelled": folder / "more.jsonl"}), seed=1)
    assert (
        plain.unlabelled is None and plain.transfer is plain.train and plain.answered(np.zeros((75, 2))) is plain.train
    )
    assert task.fingerprint != plain.fingerprint and task.train.fingerprint == plain.train.fingerprint
    assert task.unlabelled is not None and task.unlabelled.texts == tuple((f"film {row}",) for row in range(7))
    assert len(task.transfer) == 82
    answers = np.tile(np.float32([[0, 1]]), (82, 1))
    answers[-1] = [1, 0]
    labels = task.answered(answers).labels
    assert labels.tolist() == [*task.train.labels, *[1] * 6, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("words\nfilm\n", "expected a column 'text'"),
        ('text\n""\nfilm\n', "expected text in every row, got none in row 1"),
        ("text\n", "at least one row, got none"),
    ],
)
def test_a_file_of_unlabelled_texts_that_cannot_be_read_says_why(folder: Path, text: str, expected: str) -> None:
    (folder / "more.csv").write_text(text)
    with pytest.raises(BadInput) as caught:
        load_task(files_config(folder, files={"unlabelled": folder / "more.csv"}), seed=1)
    assert "more.csv" in str(caught.value) and expected in str(caught.value)


def test_a_share_that_cannot_be_carved_is_told_with_its_key(folder: Path) -> None:
    write_tsv(folder / "train.tsv", ["text", "label"], [*reviews(40)] * 2 + reviews(10, start=40))
    with pytest.raises(BadInput, match=r"train\.tsv: task\.files\.test_share: expected at most 10 .*, got 14"):
        load_task(files_config(folder), seed=1)


def test_files_may_lack_a_header_and_spell_labels_otherwise(folder: Path) -> None:
    rows = [[text, "ab"[int(label)]] for text, label in reviews(60)]
    (folder / "train.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    how = {"columns": ["text", "label"], "label_values": ["a", "b"]}
    task = load_task(files_config(folder, files=how), seed=1)
    assert [int("good" in text) for (text,) in task.train.texts] == task.train.labels.tolist()
    with pytest.raises(BadInput, match=r"give task\.files\.label_values"):
        load_task(files_config(folder, files={"columns": ["text", "label"]}), seed=1)


def test_the_labels_of_a_column_are_found(folder: Path) -> None:
    assert found_labels(files_config(folder, labels=[])) == ("0", "1")
    names = [[text, ["spam ", "ham"][int(label)]] for text, label in reviews(60)]
    write_tsv(folder / "train.tsv", ["text", "label"], names)
    assert found_labels(files_config(folder, labels=[])) == ("ham", "spam")
    assert found_labels(make_config(labels=[], generated={})) == ("negative", "positive")
    for label, expected in (("text", "60 different values in 60 rows"), ("lable", "a column 'lable'")):
        with pytest.raises(BadInput, match=expected):
            found_labels(files_config(folder, labels=[], label=label))
