"""The task in memory, loaded by the `task` section of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rosearch.config.experiment import Experiment
from rosearch.config.task import TaskConfig
from rosearch.data.carving import carve, sample
from rosearch.data.columns import column_problems
from rosearch.data.files import read_file
from rosearch.data.grammar import NAMES, generate_splits
from rosearch.data.hub import read_hub
from rosearch.data.labels import class_names
from rosearch.data.patterns import archive_of, is_archive
from rosearch.data.table import Reading, Table, class_problems
from rosearch.data.tasks import Split, Task
from rosearch.errors import BadInput, MissingResource, Problem, Problems
from rosearch.randomness import derive_seed

_FEWEST = 20  # different values of a small file that may all be classes


def load_task(config: TaskConfig, seed: int) -> Task:
    """The task's splits: from `config.path`, else from files, from the grammar, or from the hub.

    Raises `BadInput` with every problem of every split, and `MissingResource` where the folder, or both the
    hub and a cached copy, are not there. Equal configurations, data and seeds give equal tasks. The labels of a
    classification are known.
    """
    assert config.labels or config.problem == "regression"  # else `materials.derivation` is asked first
    if config.generated is not None and config.path is None:
        return _task(config, generate_splits(config, seed))
    tables, reading = _read_tables(config)
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


def found_labels(config: TaskConfig) -> tuple[str, ...]:
    """The names of the classes that the source of a task gives, or that its training rows have, in their order.

    Raises `BadInput` where the column of the label is not there, or holds no classes.
    """
    if config.generated is not None and config.path is None:
        return tuple(NAMES.values())
    tables, reading = _read_tables(config)
    table = tables["train"]
    if table.class_names:
        return table.class_names
    if problems := column_problems(table.where, table.frame, (reading.label,), "name it in task.label"):
        raise BadInput(problems)
    names = class_names(table.frame[reading.label])
    if not 2 <= len(names) <= max(_FEWEST, len(table.frame) // 4):
        got = f"{len(names):,} different values in {len(table.frame):,} rows"
        fix = "name another column (task.label, or --label), or give task.labels"
        raise BadInput(Problem(table.where, f"column {reading.label!r}", "a column of classes", got, fix))
    return names


def _read_tables(config: TaskConfig) -> tuple[dict[str, Table], Reading]:
    """The tables of the splits that the source has, and how their columns are read."""
    labels = tuple(config.labels)
    if config.path is not None:
        return _read_folder(config.path, config)
    if (files := config.files) is not None:
        tables = _read_files(files.paths, files.columns)
        spellings = tuple(files.label_values or ())
        return tables, Reading(tuple(config.text), config.label, labels, spellings, "task.files", _drops(config))
    assert config.hub is not None  # config's own rule
    tables = read_hub(config.hub, config.label)
    return tables, Reading(tuple(config.text), config.label, labels, drop=_drops(config))


def _read_folder(folder: Path, config: TaskConfig) -> tuple[dict[str, Table], Reading]:
    if not (folder.is_dir() or is_archive(folder) or archive_of(folder)):
        raise MissingResource(
            f"task {config.name}: the data folder {folder} is not there. "
            "Give the folder with --data-root FOLDER or -o task.path=FOLDER, or leave both out to use the hub"
        )
    local = config.local
    named = {"train": local.train, "test": local.test}  # "" is the folder itself, which the reader refuses
    named |= {"validation": local.validation} if local.validation else {}
    tables = _read_files({split: folder / file for split, file in named.items()}, local.columns)
    text = tuple(local.text or config.text)
    spellings = tuple(local.label_values or ())
    return tables, Reading(
        text, local.label or config.label, tuple(config.labels), spellings, "task.local", _drops(config)
    )


def _read_files(paths: Mapping[str, Path], columns: Sequence[str] | None) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    problems = Problems()
    for split, path in paths.items():
        with problems:
            tables[split] = Table(str(path), read_file(path, columns))
    problems.raise_found()
    return tables


def _splits(tables: dict[str, Table], reading: Reading) -> dict[str, Split]:
    splits: dict[str, Split] = {}
    problems: list[Problem] = []
    for name, table in tables.items():
        split, found = reading.unlabelled(table) if name == "unlabelled" else reading.split(table)
        problems += found
        if split is not None:
            splits[name] = split
            if name == "train" and reading.labels:
                problems += class_problems(split, reading.labels, table.where)
    if problems:
        raise BadInput(problems)
    return splits


def _complete(config: TaskConfig, splits: dict[str, Split], where: str, seed: int) -> dict[str, Split]:
    """The splits with those carved from training that the source lacks, and training cut to `train_rows`."""
    rows_of = _carved_rows(config, len(splits["train"]))
    key, rows = "", 0
    try:
        for split in ("test", "validation"):
            if split not in splits:
                key, rows = rows_of[split]
                rng = np.random.default_rng(derive_seed(seed, f"{split} split"))
                splits["train"], splits[split] = carve(splits["train"], rows, rng, config.phrases)
        if config.train_rows is not None:
            key, rows = "task.train_rows", config.train_rows
            rng = np.random.default_rng(derive_seed(seed, "training rows"))
            splits["train"] = sample(splits["train"], rows, rng)
    except ValueError as error:
        raise BadInput(Problem(where, key, str(error), str(rows))) from None
    return splits


def _carved_rows(config: TaskConfig, rows: int) -> dict[str, tuple[str, int]]:
    """The key that says how many of the source's training rows a split is carved from, and the number."""
    if (files := config.files) is None:
        return {"validation": ("task.validation_rows", config.validation_rows)}
    shares = {"validation": files.validation_share, "test": files.test_share}
    return {split: (f"task.files.{split}_share", max(1, round(share * rows))) for split, share in shares.items()}
