from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rosearch.data.files import read_file
from rosearch.data.labels import match_name, read_labels

NAMES = ("negative", "positive")
WRITERS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "parquet": lambda frame, path: frame.to_parquet(path),
}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(
    ("labels", "names", "classes"),
    [
        ([0, 1, 1], NAMES, (0, 1, 1)),
        ([0.0, 1.0, 1.0], NAMES, (0, 1, 1)),
        ([0.0, 1.0, None], NAMES, (0, 1, None)),
        (["0.0", "1.0", "1"], NAMES, (0, 1, 1)),
        ([False, True, True], NAMES, (0, 1, 1)),
        (["False", "True", "true"], NAMES, (0, 1, 1)),
        ([False, True, True], ("true", "false"), (1, 0, 0)),
        (["False", "TRUE"], ("True", "False"), (1, 0)),
        ([True, False, True], ("a", "b", "c"), (None, None, None)),
        ([1, 2, 2], NAMES, (1, None, None)),
        ([1, 2, 3], ("1", "2", "3"), (0, 1, 2)),
        ([3, 1, 2], ("3", "2", "1"), (0, 2, 1)),
        ([1.0, 2.0], ("1", "2"), (0, 1)),
        ([0.5, 1.0], ("0.5", "1.0"), (0, 1)),
        (["1", "0"], ("1", "0"), (0, 1)),
        ([1.0, 0.0], ("1", "0"), (0, 1)),
        ([True, False], ("1", "0"), (0, 1)),
        (["Not entailment", "entailment"], ("entailment", "not_entailment"), (1, 0)),
        (["negative", "1"], NAMES, (None, None)),
        ([-1, -1], NAMES, (None, None)),
    ],
)
def test_labels_get_the_same_verdict_in_every_format(
    labels: list[Any], names: tuple[str, ...], classes: tuple[int | None, ...], form: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{form}"
    WRITERS[form](pd.DataFrame({"text": [f"row {row}" for row in range(len(labels))], "label": labels}), path)
    read = read_labels(read_file(path)["label"], names)
    assert read.classes == classes
    assert read.from_one == (labels == [1, 2, 2]) and bool(read.mixed) == (labels == ["negative", "1"])


def test_a_mixture_of_names_and_integers_is_called_that() -> None:
    read = read_labels(["positive", "0", "positive"], NAMES)
    assert read.mixed == "names and integers mixed in one column ('positive' in 2 rows and '0' in 1 row)"
    assert read.classes == (None, None, None)
    assert read_labels(["3", "0"], ("3", "4")).mixed


def test_the_exact_name_comes_before_one_that_is_spelled_alike() -> None:
    assert match_name("us", ("US", "us")) == 1
    assert match_name("1.0", ("1", "1.0")) == 1
    assert match_name("Us", ("US", "us")) is None
    assert match_name("neutral", NAMES) is None
