"""A user's own rows, looked at before an experiment names them: a preview of a file, and guesses that follow from rows.

>>> look = preview(Path("tickets.csv"))
>>> look.columns, look.text_column, look.label_column
(('id', 'message', 'queue'), 'message', 'queue')
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from rosearch.config.experiment import Experiment
from rosearch.config.task import Metric
from rosearch.data.columns import USUAL_COLUMNS, column_problems
from rosearch.data.files import read_file
from rosearch.data.labels import class_names, spelled
from rosearch.data.loading import load_task, task_seed
from rosearch.data.tasks import Task
from rosearch.errors import Problems
from rosearch.materials.class_weights import skew

_FIRST = 3  # rows of a preview
_MOST_CLASSES = 200  # of a column that is taken for the label's
_USUAL_LABELS = ("label", "labels", "class", "category", "target", "intent", "topic", "sentiment")
_MOST_EPOCHS = 5
_SEEN = 40_000  # texts that a candidate learns from, counted each time
_SHORT = 24  # tokens of texts of which the most are attacked
_LEAST_ATTACKED, _MOST_ATTACKED = 30, 100  # rows
_MOST_ROWS = {"validation": 2_000, "test": 3_000}  # of what is carved: more only costs time
_LOPSIDED = 0.65  # share of the largest class from which accuracy says little


@dataclass(frozen=True)
class Preview:
    """A file of rows: its columns, how many rows, the first of them as texts."""

    path: Path
    columns: tuple[str, ...]
    count: int
    rows: tuple[tuple[str, ...], ...]
    classes: dict[str, tuple[str, ...]]  # of each column that may be the label's: its different values
    words: dict[str, float]  # of each column: the mean number of words of a cell

    @property
    def label_column(self) -> str:
        """The column that is the label's by its name, else the last of few values that is no text; "" for none."""
        usual = [column for name in _USUAL_LABELS for column in self.columns if column.lower() == name]
        few = [column for column in self.classes if column not in self.text_column.split(",")]
        return next(iter((*usual, *reversed(few))), "")

    @property
    def text_column(self) -> str:
        """The usual columns of texts with a comma between, else the column of the most words; "" for none."""
        usual = (names for names in USUAL_COLUMNS if all(name in self.columns for name in names))
        wordy = max(self.words, key=lambda column: self.words[column], default="")
        return ",".join(next(usual, (wordy,)))


def preview(path: Path) -> Preview:
    """A look at a file. Raises `BadInput` where it cannot be read, as `read_file` does."""
    frame = read_file(path.expanduser())
    columns = tuple(map(str, frame.columns))
    cells = {name: [spelled(cell) for cell in frame.iloc[:, place]] for place, name in enumerate(columns)}
    names = {column: class_names(cells[column]) for column in columns}
    most = min(_MOST_CLASSES, len(frame) // 4)
    return Preview(
        path,
        columns,
        len(frame),
        tuple(zip(*(cells[column][:_FIRST] for column in columns), strict=True)),
        {column: found for column, found in names.items() if 2 <= len(found) <= most},
        {column: float(np.mean([len(cell.split()) for cell in cells[column]] or [0])) for column in columns},
    )


def check_columns(task: Mapping[str, Any]) -> None:
    """Raises `BadInput` with every file of the section `task` that cannot be read, and every column that it lacks."""
    problems = Problems()
    for path in task["files"].values():
        with problems:
            frame = read_file(Path(path).expanduser())
            for column, key in (*((text, "--text") for text in task["text"]), (task["label"], "--label")):
                near = get_close_matches(column, map(str, frame.columns), n=1)
                fix = f"Did you mean {key} {near[0]}?" if near else f"Give {key}"
                problems.add(*column_problems(str(path), frame, (column,), fix))
    problems.raise_found()


@dataclass(frozen=True)
class Guesses:
    """Settings that fit a user's rows, to begin with."""

    metric: Metric
    why: str  # of the metric, in words
    shares: dict[str, float]  # of the training file, for each split without a file
    epochs: int
    attacked: int  # test rows under attack: the queries of a row, and what each costs, grow with its length
    skew: str = ""  # of the classes, in words; "" where they are not badly skewed
    dropped: str = ""  # rows without a text or a label that are left out, in words; "" for none


def guess(experiment: Experiment) -> Guesses:
    """Settings for a complete experiment on files, from a look at their rows. Raises as `load_task` does."""
    config = experiment.require_task()
    assert config.files is not None
    task = load_task(config, task_seed(experiment))
    carved = {"validation": config.files.validation_share, "test": config.files.test_share}
    carved = {split: share for split, share in carved.items() if split not in config.files.paths}
    rows = sum(len(getattr(task, split)) for split in ("train", *carved))
    shares = {split: min(share, round(_MOST_ROWS[split] / rows, 4)) for split, share in carved.items()}
    epochs = max(1, min(_MOST_EPOCHS, round(_SEEN / len(task.train))))
    attacked = max(_LEAST_ATTACKED, min(_MOST_ATTACKED, round(_MOST_ATTACKED * (_SHORT / config.length) ** 2, -1)))
    dropped = " and ".join(f"{count:,} {split} row{'s' * (count > 1)}" for split, count in task.dropped.items())
    dropped = dropped.replace("train ", "training ")
    return Guesses(*_metric(task), shares, epochs, int(attacked), skew(task), dropped)


def _metric(task: Task) -> tuple[Metric, str]:
    if task.problem == "regression":
        return "pearson", "the label is a score, for which there is spearman, too"
    labels: Sequence[int] = task.train.labels.tolist()
    place, count = Counter(labels).most_common(1)[0]
    told = f"{count / len(labels):.0%} of the rows are {task.labels[place]}"
    if count / len(labels) > min(_LOPSIDED, 3 / len(task.labels)):
        return "macro_f1", f"{told}, so that accuracy would reward guessing it"
    return "accuracy", f"{told}, the largest class"
