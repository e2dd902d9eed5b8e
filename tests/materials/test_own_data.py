from __future__ import annotations

import json
from pathlib import Path

import pytest
from own_data import write_own_data

from rosearch.config.experiment import Experiment
from rosearch.errors import BadInput
from rosearch.materials.own_data import check_columns, guess, preview


def experiment(folder: Path, counts: dict[str, int], **files: object) -> Experiment:
    """An experiment on a file with so many rows of each class."""
    rows = [f"{name} {row},{name}" for name, count in counts.items() for row in range(count)]
    (folder / "a.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    named = {"train": folder / "a.csv", **files}
    task = {"name": "t", "text": ["text"], "labels": list(counts), "max_length": 8, "files": named}
    return Experiment.model_validate({"name": "n", "search_space": "tiny", "teacher": "t", "task": task})


def test_a_preview_names_columns_first_rows_and_what_may_be_the_label(tmp_path: Path) -> None:
    look = preview(write_own_data(tmp_path) / "tickets.csv")
    assert (look.columns, look.count, len(look.rows)) == (("id", "message", "queue"), 160, 3)
    assert look.rows[0][0] == "0" and look.rows[1][0] == "1"
    assert (look.text_column, look.label_column) == ("message", "queue")
    assert set(look.classes) == {"queue"} and len(look.classes["queue"]) == 3


def test_usual_names_of_columns_are_known_in_every_format(tmp_path: Path) -> None:
    rows = [{"sentence2": f"b {row}", "idx": row, "sentence1": f"a {row}", "Label": row % 2} for row in range(40)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    look = preview(tmp_path / "pairs.jsonl")
    assert (look.text_column, look.label_column) == ("sentence1,sentence2", "Label")


def test_an_empty_file_has_nothing_to_offer(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("a,b\n")
    look = preview(tmp_path / "empty.csv")
    assert (look.count, look.rows, look.label_column) == (0, (), "")


def test_every_column_that_a_file_lacks_is_told_at_once_with_the_one_that_may_be_meant(tmp_path: Path) -> None:
    write_own_data(tmp_path)
    files = {"train": tmp_path / "tickets.csv", "test": tmp_path / "no.csv"}
    with pytest.raises(BadInput) as caught:
        check_columns({"files": files, "text": ["massage"], "label": "desk"})
    first, second, third = map(str, caught.value.problems)
    assert first.endswith("got only 'id', 'message', 'queue'. Did you mean --text message?")
    assert second.endswith("Give --label") and "no.csv: expected a file" in third


@pytest.mark.parametrize(
    ("counts", "metric"),
    [
        ({"a": 60, "b": 40}, "accuracy"),
        ({"a": 70, "b": 30}, "macro_f1"),
        ({"a": 40, "b": 30, "c": 30}, "accuracy"),
        ({"a": 70, **{f"b{place}": 5 for place in range(6)}}, "macro_f1"),
    ],
)
def test_the_metric_follows_from_how_large_the_largest_class_is(
    counts: dict[str, int], metric: str, tmp_path: Path
) -> None:
    found = guess(experiment(tmp_path, counts))
    assert found.metric == metric and "of the rows are a" in found.why


def test_large_files_lose_no_more_rows_than_a_measurement_needs_and_are_read_fewer_times(tmp_path: Path) -> None:
    small, large = (guess(experiment(tmp_path, {"a": rows, "b": rows})) for rows in (200, 20_000))
    assert (small.shares, small.epochs) == ({"validation": 0.1, "test": 0.15}, 5)
    assert (large.shares, large.epochs) == ({"validation": 0.05, "test": 0.075}, 1)


@pytest.mark.parametrize(("length", "rows"), [(8, 100), (24, 100), (32, 60), (48, 30), (512, 30)])
def test_fewer_long_texts_are_attacked_than_short_ones(length: int, rows: int, tmp_path: Path) -> None:
    made = experiment(tmp_path, {"a": 60, "b": 60})
    task = made.require_task().model_copy(update={"max_length": length})
    assert guess(made.model_copy(update={"task": task})).attacked == rows


def test_a_split_with_a_file_of_its_own_has_no_share(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("text,label\nc,a\nd,b\n")
    assert guess(experiment(tmp_path, {"a": 60, "b": 60}, test=tmp_path / "b.csv")).shares == {"validation": 0.1}
