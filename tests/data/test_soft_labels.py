from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rosearch.data.soft_labels import SoftLabels, read_soft_labels
from rosearch.data.tasks import Split
from rosearch.errors import BadInput

CLASSES = ("negative", "positive")
ROWS = [("a fine film", 0.1, 0.9), ("a dull film", 0.75, 0.25), ("the film", 0.5, 0.5)]


def table(rows: list[tuple[object, ...]] | None = None, columns: tuple[str, ...] = ("text", *CLASSES)) -> pd.DataFrame:
    return pd.DataFrame(ROWS if rows is None else rows, columns=list(columns))


def csv(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path.with_suffix(".csv"), index=False)
    return path.with_suffix(".csv")


def jsonl(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_json(path.with_suffix(".jsonl"), orient="records", lines=True)
    return path.with_suffix(".jsonl")


def parquet(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def read(frame: pd.DataFrame, tmp_path: Path, write: Callable[[pd.DataFrame, Path], Path] = csv) -> SoftLabels:
    return read_soft_labels(write(frame, tmp_path / "labels"), ("text",), CLASSES)


def lines(frame: pd.DataFrame, tmp_path: Path, **changes: object) -> list[str]:
    """What is wrong, a line each."""
    settings = {"text": ("text",), "labels": CLASSES, **changes}
    with pytest.raises(BadInput) as caught:
        read_soft_labels(csv(frame, tmp_path / "labels"), **settings)  # type: ignore[arg-type]
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def split(*texts: str) -> Split:
    return Split(tuple((text,) for text in texts), np.zeros(len(texts), np.int64))


@pytest.mark.parametrize("write", [csv, jsonl, parquet])
def test_answers_are_found_by_text_whatever_the_file(write: Callable[..., Path], tmp_path: Path) -> None:
    soft = read(table(), tmp_path, write)
    found = np.exp(soft.of(split("a dull film", "a fine film", "a dull film"), "training"))
    np.testing.assert_allclose(found, [[0.75, 0.25], [0.1, 0.9], [0.75, 0.25]], rtol=1e-6)
    assert soft.covered(split("unheard", "the film")).tolist() == [1]


def test_columns_may_stand_in_any_order_and_case_and_beside_others(tmp_path: Path) -> None:
    rows = [(7, 0.9, "a fine film", 0.1), (8, 0.25, "a dull film", 0.75)]
    soft = read(table(rows, ("id", "Positive", "text", "NEGATIVE")), tmp_path)
    np.testing.assert_allclose(np.exp(soft.outputs), [[0.1, 0.9], [0.75, 0.25]], rtol=1e-6)


def test_an_answer_of_0_is_finite_and_two_decimals_are_near_enough_to_1(tmp_path: Path) -> None:
    names = ("one", "two", "three")
    frame = table([("a", 0.33, 0.33, 0.33), ("b", 0, 0, 1)], ("text", *names))
    soft = read_soft_labels(csv(frame, tmp_path / "labels"), ("text",), names)
    assert np.isfinite(soft.outputs).all()
    np.testing.assert_allclose(np.exp(soft.outputs).sum(axis=1), 1, atol=1e-4)


def test_a_pair_of_texts_is_one_row(tmp_path: Path) -> None:
    frame = table([("a", "b", 0.2, 0.8), ("a", "c", 0.6, 0.4)], ("one", "two", *CLASSES))
    soft = read_soft_labels(csv(frame, tmp_path / "labels"), ("one", "two"), CLASSES)
    pairs = Split((("a", "c"), ("a", "b")), np.zeros(2, np.int64))
    np.testing.assert_allclose(np.exp(soft.of(pairs, "training"))[:, 0], [0.6, 0.2], rtol=1e-6)


def test_a_regression_has_one_column_of_scores(tmp_path: Path) -> None:
    frame = table([("a", -1.5), ("b", 2)], ("text", "score"))
    soft = read_soft_labels(csv(frame, tmp_path / "labels"), ("text",), (), "score")
    assert soft.outputs.tolist() == [[-1.5], [2.0]]
    (line,) = lines(table([("a", "high")], ("text", "score")), tmp_path, labels=(), label="score")
    assert line == "labels.csv: expected a finite score in every row, got none in row 1"


def test_all_that_is_wrong_with_values_is_told_at_once_by_the_numbers_of_rows(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [*ROWS, ("x", 0.5, 0.6), ("y", "", 1), ("z", -0.5, 1.5), ("the film", 0.9, 0.1)]
    rows += [("", 0.5, 0.5)]
    assert lines(table(rows), tmp_path) == [
        "labels.csv: column 'text': expected text in every row, got none in row 8. Leave such rows out",
        "labels.csv: expected probabilities from 0 to 1, got other values in rows 5, 6",
        "labels.csv: expected probabilities that sum to 1 in each row, got sums such as 1.1 in row 4",
        "labels.csv: expected one answer for equal texts, got different ones in rows 3, 7. "
        "Leave one answer for each text, such as their mean",
    ]


def test_equal_answers_for_equal_texts_are_one(tmp_path: Path) -> None:
    assert read(table([*ROWS, ROWS[0]]), tmp_path).covered(split("a fine film")).tolist() == [0]


def test_a_class_without_a_column_is_told_with_the_columns_that_there_are(tmp_path: Path) -> None:
    (line,) = lines(table(columns=("text", "negative", "neutral")), tmp_path)
    expected = "expected a column of probabilities for each of negative, positive"
    assert line == f"labels.csv: {expected}, got none for positive; other columns: neutral"


def test_a_column_of_shares_of_no_class_is_told(tmp_path: Path) -> None:
    rows = [(text, low, high, 0.0) for text, low, high in ROWS]
    (line,) = lines(table(rows, ("text", *CLASSES, "neutral")), tmp_path)
    assert "expected columns of the classes negative, positive, got shares for neutral, which are none" in line


def test_the_true_labels_of_the_task_may_stand_beside(tmp_path: Path) -> None:
    frame = table([(*row, place % 2) for place, row in enumerate(ROWS)], ("text", *CLASSES, "label"))
    path = csv(frame, tmp_path / "labels")
    assert len(read_soft_labels(path, ("text",), CLASSES, "label").outputs) == 3


def test_rows_that_the_file_lacks_are_counted_and_named(tmp_path: Path) -> None:
    soft = read(table(), tmp_path)
    with pytest.raises(BadInput, match=r"got none for 2 of 3: training rows 2, 3, as 'unheard'\. Have these"):
        soft.of(split("the film", "unheard", "never"), "training")
