"""From an experiment file and overrides to an `Experiment`; all problems are reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

    A name is one of those that `rosearch experiments` lists; a file of that name in the working directory wins.
    With `data_root`, a task with a local layout is read from `data_root/task.local.folder` in place of the hub, and
    relative paths of `corpus.sources` are below it. Raises `BadInput` with every problem of file and overrides.
    """
    from pydantic import ValidationError  # late: a file that is not there is told without it

    from rosearch.config.experiment import Experiment
    from rosearch.config.section import problems_of

    overrides = tuple(overrides)
    data, problems = read_data(path, overrides, data_root)
    with placed(written(path, overrides)):
        try:
            experiment = Experiment.model_validate(data)
        except ValidationError as error:
            raise BadInput([*problems, *problems_of(error, str(path), Experiment)]) from None
        if problems:
            raise BadInput(problems)
    return in_place(experiment, path, data_root)


def written(path: str | Path, overrides: Iterable[str] = ()) -> Written:
    """The places of the keys of the experiment that `load_experiment` reads by the same arguments."""
    return Written(EXPERIMENTS.find(path), str(path), tuple(overrides))


def read_data(
    path: str | Path, overrides: Iterable[str] = (), data_root: str | Path | None = None
) -> tuple[dict[str, Any], list[Problem]]:
    """The mapping of an experiment's file with its overrides, not validated yet, and the problems of overrides.

    Raises `BadInput` where the file cannot be read.
    """
    where, data_root = str(path), None if data_root is None else Path(data_root)
    data = EXPERIMENTS.read(EXPERIMENTS.find(path), where)
    problems = [problem for text in overrides if (problem := _override(data, text)) is not None]
    if data_root is not None and isinstance(task := data.get("task"), dict) and not task.get("path"):
        local = task.get("local")
        if isinstance(local, dict) and local.get("folder"):
            task["path"] = str(data_root / str(local["folder"]))
        elif task.get("generated") is None:
            problems.append(Problem(where, "task.local.folder", "a folder below --data-root", "none"))
    return data, problems


def in_place(experiment: Experiment, path: str | Path, data_root: str | Path | None = None) -> Experiment:
    """An experiment of a file, or of a name, with absolute paths and the file of its space."""
    folder = Path() if EXPERIMENTS.has(path) else Path(path).parent  # of a name, paths are the user's own
    space = SPACES.find(experiment.search_space, folder).resolve()
    experiment = experiment.model_copy(update={"search_space": space})
    return _with_absolute_paths(experiment, folder, None if data_root is None else Path(data_root))


def _with_absolute_paths(experiment: Experiment, folder: Path, data_root: Path | None = None) -> Experiment:
    """Makes all paths absolute: that of the space from the experiment's folder, others from the working directory."""
    update: dict[str, Any] = {"search_space": (folder / experiment.search_space).resolve()}
    if experiment.task is not None and experiment.task.path is not None:
        update["task"] = experiment.task.model_copy(update={"path": experiment.task.path.resolve()})
    if (initial := experiment.distillation.initial) is not None and Path(initial).is_dir():
        absolute_folder = {"initial": str(Path(initial).resolve())}
        update["distillation"] = experiment.distillation.model_copy(update=absolute_folder)
    if (model := Path(experiment.teacher.model)).is_dir():
        update["teacher"] = experiment.teacher.model_copy(update={"model": str(model.resolve())})
    if experiment.corpus is not None:
        update["corpus"] = experiment.corpus.below((data_root or Path()).resolve())
    robustness = experiment.evaluation.robustness
    if robustness.resources is not None:
        absolute = robustness.model_copy(update={"resources": robustness.resources.resolve()})
        update["evaluation"] = experiment.evaluation.model_copy(update={"robustness": absolute})
    return experiment.model_copy(update=update)


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
    return _with_absolute_paths(experiment, path.parent)


def _in_new_keys(data: dict[str, Any]) -> dict[str, Any]:
    robustness, finalists = _section(data, "evaluation", "robustness"), _section(data, "finalists")
    if "attack" in robustness:
        robustness["search"] = {"attacks": [robustness.pop("attack")], "rows": robustness.pop("rows", None)}
        robustness["report"] = {"rows": finalists.pop("rows", None)}
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
