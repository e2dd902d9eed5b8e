from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from rosearch.data.tasks import Split, Task


def split(*texts: tuple[str, ...], labels: list[int]) -> Split:
    return Split(texts, np.array(labels, dtype=np.int64))


def task(train: Split, labels: tuple[str, ...] = ("no", "yes"), name: str = "t") -> Task:
    other = split(("x",), ("y",), labels=[0, 1])
    return Task(name, "classification", "accuracy", labels, train, other, other)


def test_a_split_hands_out_rows_in_the_order_asked_for() -> None:
    rows = split(("a",), ("b",), ("c",), labels=[0, 1, 2]).take(np.array([2, 0]))
    assert rows.texts == (("c",), ("a",))
    assert rows.labels.tolist() == [2, 0]
    assert len(rows) == 2


def test_a_split_refuses_labels_of_another_length() -> None:
    with pytest.raises(AssertionError):
        split(("a",), labels=[0, 1])


def test_a_split_fingerprint_tells_texts_labels_and_pairs_apart() -> None:
    splits = [
        split(("a",), ("b",), labels=[0, 1]),
        split(("a",), ("b",), labels=[1, 0]),
        split(("b",), ("a",), labels=[0, 1]),
        split(("a", "b"), labels=[0]),
        split(("a b",), labels=[0]),
        split(("a", "b"), ("", ""), labels=[0, 1]),
        split(("a",), ("b",), ("",), ("",), labels=[0, 1, 0, 1]),
    ]
    assert len({rows.fingerprint for rows in splits}) == len(splits)
    assert splits[0].fingerprint == split(("a",), ("b",), labels=[0, 1]).fingerprint


def test_a_task_fingerprint_follows_content_and_label_order_but_not_the_name() -> None:
    rows = split(("a",), ("b",), labels=[0, 1])
    assert task(rows).fingerprint == task(rows, name="other").fingerprint
    assert task(rows).fingerprint != task(rows, labels=("yes", "no")).fingerprint
    assert task(rows).fingerprint != task(split(("a",), ("c",), labels=[0, 1])).fingerprint


def test_regression_has_one_output_and_classification_one_per_label() -> None:
    rows = Split((("a",),), np.array([0.5], dtype=np.float32))
    assert Task("t", "regression", "pearson", (), rows, rows, rows).num_labels == 1
    assert task(split(("a",), labels=[0]), labels=("x", "y", "z")).num_labels == 3


def test_loading_a_task_needs_no_torch() -> None:
    code = "import sys, rosearch.data.loading, rosearch.data.tokens; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
