"""The paths in an experiment: first from the folder of its file, and absolute once it is loaded.

An experiment may name a path as it stands beside it, whoever starts it from wherever. What older files name from the
working directory is still found there, where nothing of that name lies beside the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rosearch.config.experiment import Experiment

# Keys whose paths may be relative to the working directory too. `search_space` has a way of its own.
_EITHER = ("task.path", "teacher.model", "teacher.tokenizer", "distillation.initial", "evaluation.robustness.resources")
_BESIDE = ("teacher.outputs", *(f"task.files.{split}" for split in ("train", "validation", "test", "unlabelled")))


def anchor(data: dict[str, Any], folder: Path) -> None:
    """Leads the relative paths in the data of a file to `folder`, which is that of the file, in place.

    A teacher that is named alone (`teacher: ./my-bert`) becomes a section, so that overrides of its keys find one.
    """
    spell_out(data)
    for key in (*_EITHER, *_BESIDE):
        for section, name in _holders(data, key):
            path = folder / Path(section[name]).expanduser()
            if key in _BESIDE or os.path.lexists(path):  # no OSError, whatever the name
                section[name] = str(path.absolute())


def spell_out(data: dict[str, Any]) -> None:
    """Makes a teacher that is named alone a section, in place."""
    if isinstance(data.get("teacher"), str):
        data["teacher"] = {"model": data["teacher"]}


def with_absolute_paths(experiment: Experiment, folder: Path, data_root: Path | None = None) -> Experiment:
    """Makes all paths absolute: that of the space from the experiment's folder, others from the working directory."""
    update: dict[str, Any] = {"search_space": (folder / experiment.search_space).resolve()}
    if (task := experiment.task) is not None and task.path is not None:
        update["task"] = task.model_copy(update={"path": task.path.resolve()})
    elif task is not None and task.files is not None:
        update["task"] = task.model_copy(update={"files": task.files.resolved()})
    if (initial := experiment.distillation.initial) is not None and Path(initial).is_dir():
        absolute_folder = {"initial": str(Path(initial).resolve())}
        update["distillation"] = experiment.distillation.model_copy(update=absolute_folder)
    update["baselines"] = [_model_below(folder, name) for name in experiment.baselines]
    if teacher := _of_teacher(experiment):
        update["teacher"] = experiment.teacher.model_copy(update=teacher)
    if experiment.corpus is not None:
        update["corpus"] = experiment.corpus.below((data_root or Path()).resolve())
    starts = [_run_below(folder, entry) for entry in experiment.evolution.warm_start]
    update["evolution"] = experiment.evolution.model_copy(update={"warm_start": starts})
    robustness = experiment.evaluation.robustness
    if robustness.resources is not None:
        absolute = robustness.model_copy(update={"resources": robustness.resources.resolve()})
        update["evaluation"] = experiment.evaluation.model_copy(update={"robustness": absolute})
    return experiment.model_copy(update=update)


def _model_below(folder: Path, name: str) -> str:
    """A baseline; the folder of a model that it may name, from that of the experiment or the working directory."""
    found = next((path for path in (folder / Path(name).expanduser(), Path(name)) if path.is_dir()), None)
    return str(found.resolve()) if found is not None and ("/" in name or name.startswith((".", "~"))) else name


def _of_teacher(experiment: Experiment) -> dict[str, Any]:
    """The paths of the teacher's section that are there, made absolute."""
    found = {key: Path(getattr(experiment.teacher, key)) for key in ("model", "tokenizer")}
    absolute: dict[str, Any] = {key: str(path.resolve()) for key, path in found.items() if path.name and path.is_dir()}
    if (outputs := experiment.teacher.outputs) is not None:
        absolute["outputs"] = outputs.expanduser().absolute()
    return absolute


def _run_below(folder: Path, entry: str) -> str:
    """An entry of warm_start; the run that it may name, from the working directory or the folder of the experiment."""
    from rosearch.config.evolution import FROM_RUN  # late: a wrong path is told before schemas are loaded

    if not entry.startswith(FROM_RUN):
        return entry
    path = Path(entry.removeprefix(FROM_RUN))
    return f"{FROM_RUN}{(folder / path if (folder / path).is_dir() else path).resolve()}"


def _holders(data: dict[str, Any], key: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The section that holds a dotted key, and the last part of it; nothing where its value is no text."""
    *parents, last = key.split(".")
    at: Any = data
    for parent in parents:
        at = at.get(parent) if isinstance(at, dict) else None
    if isinstance(at, dict) and isinstance(at.get(last), str) and at[last]:
        yield at, last
