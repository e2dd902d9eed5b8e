"""The task in memory, loaded by the `task` section of an experiment."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rosearch.config.experiment import Experiment
from rosearch.config.task import TaskConfig
from rosearch.data.carving import carve, sample
from rosearch.data.files import read_file
from rosearch.data.grammar import generate_splits
from rosearch.data.hub import read_hub
from rosearch.data.patterns import archive_of, is_archive
from rosearch.data.table import Reading, Table, class_problems
from rosearch.data.tasks import Split, Task
from rosearch.errors import BadInput, MissingResource, Problem, Problems
from rosearch.randomness import derive_seed


def load_task(config: TaskConfig, seed: int) -> Task:
    """The task's three splits: from `config.path`, else from the grammar, else from the hub.

    Raises `BadInput` with every problem of every split, and `MissingResource` where the folder, or both the
    hub and a cached copy, are not there. Equal configurations, data and seeds give equal tasks.
    """
    if config.path is not None:
        tables, reading = _read_folder(config.path, config)
    elif config.generated is not None:
        return _task(config, generate_splits(config, seed))
    else:
        assert config.hub is not None  # config's own rule
        tables = read_hub(config.hub, config.label)
        reading = Reading(tuple(config.text), config.label, tuple(config.labels), drop=_drops(config))
    splits = _splits(tables, reading)
    dropped = {name: split.dropped for name, split in splits.items() if split.dropped}
    return _task(config, _complete(config, splits, tables["train"].where, seed), dropped)


def task_seed(experiment: Experiment) -> int:
    """The seed of all that is drawn of the data: the validation rows, a sample of training rows, a generated task."""
    return derive_seed(experiment.seed, "task")


def _drops(config: TaskConfig) -> bool:
    return config.on_bad_rows == "drop"


def _task(config: TaskConfig, splits: dict[str, Split], dropped: dict[str, int] | None = None) -> Task:
    return Task(config.name, config.problem, config.metric, tuple(config.labels), **splits, dropped=dropped or {})


def _read_folder(folder: Path, config: TaskConfig) -> tuple[dict[str, Table], Reading]:
    if not (folder.is_dir() or is_archive(folder) or archive_of(folder)):
        raise MissingResource(
            f"task {config.name}: the data folder {folder} is not there. "
            "Give the folder with --data-root FOLDER or -o task.path=FOLDER, or leave both out to use the hub"
        )
    local = config.local
    tables: dict[str, Table] = {}
    problems = Problems()
    for name, file in {"train": local.train, "validation": local.validation, "test": local.test}.items():
        if file:
            with problems:
                tables[name] = Table(str(folder / file), read_file(folder / file, local.columns))
    problems.raise_found()
    text = tuple(local.text or config.text)
    spellings = tuple(local.label_values or ())
    return tables, Reading(
        text, local.label or config.label, tuple(config.labels), spellings, "task.local", _drops(config)
    )


def _splits(tables: dict[str, Table], reading: Reading) -> dict[str, Split]:
    splits: dict[str, Split] = {}
    problems: list[Problem] = []
    for name, table in tables.items():
        split, found = reading.split(table)
        problems += found
        if split is not None:
            splits[name] = split
            if name == "train" and reading.labels:
                problems += class_problems(split, reading.labels, table.where)
    if problems:
        raise BadInput(problems)
    return splits


def _complete(config: TaskConfig, splits: dict[str, Split], where: str, seed: int) -> dict[str, Split]:
    """The splits with validation carved from training where the source has none, and training cut to `train_rows`."""
    key, rows = "task.validation_rows", config.validation_rows
    try:
        if "validation" not in splits:
            rng = np.random.default_rng(derive_seed(seed, "validation split"))
            splits["train"], splits["validation"] = carve(splits["train"], rows, rng, config.phrases)
        if config.train_rows is not None:
            key, rows = "task.train_rows", config.train_rows
            rng = np.random.default_rng(derive_seed(seed, "training rows"))
            splits["train"] = sample(splits["train"], rows, rng)
    except ValueError as error:
        raise BadInput(Problem(where, key, str(error), str(rows))) from None
    return splits
