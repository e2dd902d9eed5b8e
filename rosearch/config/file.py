"""From an experiment file and overrides to an `Experiment`; all problems are reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosearch.config.paths import anchor, spell_out, with_absolute_paths
from rosearch.config.places import Written, placed
from rosearch.config.plain_data import parse_yaml, read_yaml
from rosearch.config.shipped import EXPERIMENTS, SPACES
from rosearch.errors import BadInput, Problem, shown

if TYPE_CHECKING:
    from rosearch.config.experiment import Experiment


def load_experiment(path: str | Path, overrides: Iterable[str] = (), data_root: str | Path | None = None) -> Experiment:
    """The experiment in a YAML file, or of a name, with `key.path=value` overrides; values are read as YAML.

    >>> from rosearch import load_experiment
    >>> experiment = load_experiment("quickstart", ["evolution.candidates=6", "seed=2"])
    >>> experiment.evolution.candidates
    6

    A name is one of those that `rosearch experiments` lists; a file of that name in the working directory wins. Paths
    in a file are relative to it, those of overrides to the working directory.
    With `data_root`, a task with a local layout is read from `data_root/task.local.folder` in place of the hub, and
    relative paths of `corpus.sources` are below it. Raises `BadInput` with every problem of file and overrides.
    """
    overrides, data = tuple(overrides), read_data(path)
    with placed(written(path, overrides)):
        return experiment_of(data, str(path), folder_of(path), overrides, data_root)


def written(path: str | Path, overrides: Iterable[str] = ()) -> Written:
    """The places of the keys of the experiment that `load_experiment` reads by the same arguments."""
    return Written(EXPERIMENTS.find(path), str(path), tuple(overrides))


def folder_of(path: str | Path) -> Path:
    """The folder that relative paths of an experiment are taken from: its file's; of a name, the user's own."""
    return Path() if EXPERIMENTS.has(path) else Path(path).parent


def read_data(path: str | Path) -> dict[str, Any]:
    """The mapping of an experiment's file, not validated yet. Raises `BadInput` where it cannot be read."""
    data = EXPERIMENTS.read(EXPERIMENTS.find(path), str(path))
    anchor(data, folder_of(path))
    return data


def experiment_of(
    data: dict[str, Any], where: str, folder: Path, overrides: Iterable[str] = (), data_root: str | Path | None = None
) -> Experiment:
    """The experiment in plain data, as `load_experiment`; `where` stands for its file in problems.

    The search space is found from `folder`, other relative paths from the working directory.
    """
    from pydantic import ValidationError  # late: a file that is not there is told without it

    from rosearch.config.experiment import Experiment
    from rosearch.config.section import problems_of

    spell_out(data)
    problems = override(data, where, overrides, data_root)
    try:
        experiment = Experiment.model_validate(data)
    except ValidationError as error:
        raise BadInput([*problems, *problems_of(error, where, Experiment)]) from None
    if problems:
        raise BadInput(problems)
    return in_place(experiment, folder, data_root)


def override(
    data: dict[str, Any], where: str, overrides: Iterable[str], data_root: str | Path | None = None
) -> list[Problem]:
    """Puts overrides and the root of the data into the mapping of an experiment; returns the problems of both."""
    problems = [problem for text in overrides if (problem := _override(data, text)) is not None]
    task = data.get("task")
    if data_root is not None and isinstance(task, dict) and not (task.get("path") or task.get("files")):
        local = task.get("local")
        if isinstance(local, dict) and local.get("folder"):
            task["path"] = str(Path(data_root) / str(local["folder"]))
        elif task.get("generated") is None:
            problems.append(Problem(where, "task.local.folder", "a folder below --data-root", "none"))
    return problems


def in_place(experiment: Experiment, folder: Path, data_root: str | Path | None = None) -> Experiment:
    """An experiment with absolute paths and the file of its space, which is found from `folder`."""
    space = SPACES.find(experiment.search_space, folder).resolve()
    root = None if data_root is None else Path(data_root)
    return with_absolute_paths(experiment.model_copy(update={"search_space": space}), folder, root)


def load_snapshot(path: Path) -> Experiment:
    """The experiment of a run folder; keys of older versions are moved to the new ones.

    The attacks on the finalists of an older run stand in their records. Raises `BadInput` as `load_experiment` does.
    """
    from pydantic import ValidationError

    from rosearch.config.experiment import Experiment
    from rosearch.config.section import problems_of

    data = read_yaml(path)
    try:
        experiment = Experiment.model_validate(_in_new_keys(data))
    except ValidationError as error:
        raise BadInput(problems_of(error, str(path), Experiment)) from None
    return with_absolute_paths(experiment, path.parent)


def _in_new_keys(data: dict[str, Any]) -> dict[str, Any]:
    robustness, finalists = _section(data, "evaluation", "robustness"), _section(data, "finalists")
    if "attack" in robustness:
        robustness["search"] = {"attacks": [robustness.pop("attack")], "rows": robustness.pop("rows", None)}
        robustness["report"] = {"rows": finalists.pop("rows", None)}
    if evolution := _section(data, "evolution"):
        evolution.setdefault("surrogate", "none")  # a run of before there were any goes on as it began
    mate_kd = _section(data, "distillation", "mate_kd")
    if isinstance(rows := mate_kd.pop("rows_at_once", None), int):
        mate_kd["tokens_at_once"] = 128 * rows  # 128: most tokens of a row in the texts it was set for
    return data


def _section(data: dict[str, Any], *names: str) -> dict[str, Any]:
    """The section under some names; an empty one where none is there, as `Experiment` says what is wrong."""
    for name in names:
        found = data.get(name)
        data = found if isinstance(found, dict) else {}
    return data


def _override(data: dict[str, Any], text: str) -> Problem | None:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        return Problem("command line", f"-o {text}", "key.path=value", shown(text))
    *parents, last = key.strip().split(".")
    at = data
    for parent in parents:
        if at.get(parent) is None:
            at[parent] = {}
        if not isinstance(at[parent], dict):
            return Problem("command line", f"-o {key}", "a section", f"{parent} holds {shown(at[parent])}")
        at = at[parent]
    try:
        at[last] = parse_yaml(value)
    except ValueError:
        return Problem("command line", f"-o {key}", "a YAML value", shown(value))
    return None
