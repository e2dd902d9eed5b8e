from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from rosearch.data.table import Reading, Table, class_problems
from rosearch.data.tasks import Split

NAMES = ("negative", "positive")
DROP = "task.on_bad_rows: drop leaves such rows out"


def read(
    labels: list[Any],
    names: tuple[str, ...] = NAMES,
    spellings: tuple[str, ...] = (),
    class_names: tuple[str, ...] = (),
) -> tuple[Split | None, str]:
    frame = pd.DataFrame({"text": [f"row {row}" for row in range(len(labels))], "y": pd.Series(labels, dtype=object)})
    split, problems = Reading(("text",), "y", names, spellings).split(Table("a.tsv", frame, class_names))
    return split, "\n".join(map(str, problems))


def classes(labels: list[Any], **how: Any) -> list[int]:
    split, problems = read(labels, **how)
    assert problems == ""
    assert split is not None and split.labels.dtype == np.int64
    return split.labels.tolist()


@pytest.mark.parametrize(
    "labels",
    [
        ["0", "1", "1"],
        [0, 1, 1],
        [0.0, 1.0, 1.0],
        [False, True, True],
        [" 0", "1 ", "1"],
        ["negative", "positive", "positive"],
        ["Negative", "POSITIVE", " positive "],
        [np.int8(0), np.float32(1), np.bool_(True)],
    ],
)
def test_labels_are_read_by_integer_or_by_name(labels: list[Any]) -> None:
    assert classes(labels) == [0, 1, 1]


def test_names_count_in_the_order_of_the_task_not_of_the_file() -> None:
    assert classes(["yes", "no", "maybe"], names=("no", "maybe", "yes")) == [2, 0, 1]


def test_spellings_stand_for_the_labels_in_their_order() -> None:
    assert classes(["1", "4", "2"], names=("a", "b", "c", "d"), spellings=("1", "2", "3", "4")) == [0, 3, 1]
    assert classes(["0", "1"], spellings=("1", "0")) == [1, 0]


def test_names_that_are_digits_are_names() -> None:
    assert classes(["1", "0", "1"], names=("1", "0")) == [0, 1, 0]
    assert classes(["3", "5", "4"], names=("3", "4", "5")) == [0, 2, 1]


def test_names_that_differ_in_case_alone_are_told_apart() -> None:
    assert classes(["us", "US"], names=("US", "us")) == [1, 0]


def test_integers_of_a_source_that_names_its_classes_are_reordered_to_ours() -> None:
    assert classes([0, 1, 1], class_names=("positive", "negative")) == [1, 0, 0]
    assert classes([0, 1, 1], class_names=("Negative", "Positive")) == [0, 1, 1]


def test_a_source_with_other_class_names_is_refused() -> None:
    split, problems = read([0, 1], class_names=("entailment", "not_entailment"))
    assert split is None
    assert "the names of the dataset: entailment, not_entailment, got negative, positive" in problems
    assert read([0, 1], class_names=("negative", "neutral", "positive"))[0] is None


def test_unlabelled_rows_of_the_hub_are_refused_with_what_to_do() -> None:
    _, problems = read([-1, -1], class_names=NAMES)
    assert problems == "a.tsv: column 'y': expected 0 to 1, got '-1' in 2 of 2 rows. name a labelled split"


@pytest.mark.parametrize(
    ("labels", "unknown"),
    [
        (["1", "2", "1"], "'2' in 1 of 3 rows"),
        (["negative", "neutral", "neutral"], "'neutral' in 2 of 3 rows"),
        (["negative", "1"], "names and integers mixed in one column ('negative' in 1 row and '1' in 1 row)"),
        (["negative", None], "'' in 1 of 2 rows"),
        (["0", float("nan")], "'' in 1 of 2 rows"),
        (["0.5", "1"], "'0.5' in 1 of 2 rows"),
        ([[0], [1]], "'[0]', '[1]' in 2 of 2 rows"),
        ([str(value) for value in range(2, 10)], "'2', '3', '4', '5', '6' and 3 more in 8 of 8 rows"),
    ],
)
def test_unknown_labels_are_named_and_counted(labels: list[Any], unknown: str) -> None:
    split, problems = read(labels)
    assert split is None
    assert f"a.tsv: column 'y': expected negative, positive, or their integers 0 to 1, got {unknown}" in problems


def test_scores_are_numbers_of_single_precision() -> None:
    split, problems = read(["3.5", 2, "0.000", 1.25], names=())
    assert problems == "" and split is not None
    assert split.labels.dtype == np.float32
    assert split.labels.tolist() == [3.5, 2.0, 0.0, 1.25]


@pytest.mark.parametrize("bad", ["high", "", None, "nan", "inf", [1]])
def test_scores_that_are_no_finite_number_are_named_by_row(bad: Any) -> None:
    split, problems = read(["1.0", bad], names=())
    assert split is None
    assert problems == f"a.tsv: column 'y': expected finite numbers, got {bad!r} in row 2"


def test_all_problems_of_a_table_are_found_at_once() -> None:
    frame = pd.DataFrame({"a": ["x", " ", None, ""], "b": ["x", 3, "y", "z"], "y": [0, 1, 7, 1]}, dtype=object)
    split, problems = Reading(("a", "b"), "y", NAMES).split(Table("a.tsv", frame))
    assert split is None
    lines = [str(problem) for problem in problems]
    assert lines[0] == "a.tsv: column 'a': expected text in every row, got none in rows 2, 3, 4. " + DROP
    assert lines[1] == "a.tsv: column 'b': expected text, got int in row 2"
    assert lines[2].startswith("a.tsv: column 'y': expected negative, positive")
    assert len(lines) == 3


def test_missing_columns_are_named_beside_those_that_are_there() -> None:
    frame = pd.DataFrame({"sentence": ["x"], "Quality": ["1"]})
    split, problems = Reading(("text", "sentence"), "label", NAMES, section="task.local").split(Table("a.tsv", frame))
    assert split is None
    assert [str(problem) for problem in problems] == [
        f"a.tsv: expected a column '{name}', got only 'sentence', 'Quality'. "
        "name the columns in task.local.text and task.local.label"
        for name in ("text", "label")
    ]


def test_a_table_without_rows_is_a_problem() -> None:
    split, problems = Reading(("text",), "y", NAMES).split(Table("a.tsv", pd.DataFrame(columns=["text", "y"])))
    assert split is None
    assert [str(problem) for problem in problems] == ["a.tsv: expected at least one row, got none"]


def test_texts_lose_the_space_around_them_and_keep_what_is_inside() -> None:
    frame = pd.DataFrame({"a": ["  good  film "], "b": ["x\n"], "y": [1]})
    split, _ = Reading(("a", "b"), "y", NAMES).split(Table("a.tsv", frame))
    assert split is not None
    assert split.texts == (("good  film", "x"),)


def test_a_label_that_training_never_shows_is_a_problem() -> None:
    split = Split((("a",), ("b",)), np.array([0, 2], dtype=np.int64))
    assert [str(problem) for problem in class_problems(split, ("x", "y", "z"), "a.tsv")] == [
        "a.tsv: expected rows of every label, got none of y"
    ]
    assert class_problems(split.take(np.array([0])), ("x",), "a.tsv") == []


def test_two_columns_of_one_name_are_a_problem_where_one_of_them_is_read() -> None:
    frame = pd.DataFrame([["x", "y", 1]], columns=["text", "text", "y"])
    _, problems = Reading(("text",), "y", NAMES).split(Table("a.tsv", frame))
    assert [str(problem) for problem in problems] == [
        "a.tsv: expected one column 'text', got 2 of this name. rename or remove the others"
    ]


def test_columns_whose_names_are_quoted_are_said_to_look_so() -> None:
    frame = pd.DataFrame([['"x"', '"1"']], columns=['"text"', '"y"'])
    _, problems = Reading(("text",), "y", NAMES).split(Table("a.tsv", frame))
    assert all("The cells look quoted" in str(problem) for problem in problems) and len(problems) == 2


def test_rows_without_a_text_or_a_label_are_dropped_and_counted_where_that_is_asked_for() -> None:
    rows = [["x", "y", 1], ["x", None, 1], [" ", "y", 0], ["x", "z", None], ["v", "w", 0]]
    table = Table("a.tsv", pd.DataFrame(rows, columns=["a", "b", "y"], dtype=object))
    split, problems = Reading(("a", "b"), "y", NAMES, drop=True).split(table)
    assert problems == [] and split is not None
    assert split.texts == (("x", "y"), ("v", "w")) and split.labels.tolist() == [1, 0] and split.dropped == 3


def test_no_row_is_dropped_for_a_label_that_is_unknown() -> None:
    frame = pd.DataFrame([["", 1], ["x", 1], [3, 2]], columns=["a", "y"], dtype=object)
    split, problems = Reading(("a",), "y", NAMES, drop=True).split(Table("a.tsv", frame))
    assert split is None
    assert str(problems[0]) == "a.tsv: column 'a': expected text, got int in row 3"
    assert "got '2' in 1 of 2 rows" in str(problems[1])


def test_a_table_whose_rows_are_all_dropped_has_none() -> None:
    frame = pd.DataFrame([["", 1], ["x", None]], columns=["a", "y"], dtype=object)
    _, problems = Reading(("a",), "y", NAMES, drop=True).split(Table("a.tsv", frame))
    assert str(problems[0]) == "a.tsv: expected at least one row, got none: 2 without a text or a label"


@pytest.mark.parametrize(
    ("section", "advice"),
    [
        ("task.local", "give task.local.label_values=['1', '2']"),
        ("task", "give task.labels=['1', '2']"),
        ("", "subtract 1"),
    ],
)
def test_labels_that_start_at_1_are_told_with_advice_that_fits(section: str, advice: str) -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "y": ["1", "2"]})
    split, problems = Reading(("text",), "y", NAMES, section=section).split(Table("a.tsv", frame))
    assert split is None and str(problems[0]).endswith(advice)
    assert "the integers start at 1" in str(problems[0])
