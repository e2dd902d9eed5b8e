"""From an experiment file and overrides to an `Experiment`; all problems are reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rosearch.config.experiment import Experiment
from rosearch.config.section import problems_of
from rosearch.errors import BadInput, Problem, one_line


def load_experiment(path: str | Path, overrides: Iterable[str] = (), data_root: str | Path | None = None) -> Experiment:
    """The experiment in a YAML file, with `key.path=value` overrides; values are read as YAML.

    >>> from rosearch import load_experiment
    >>> experiment = load_experiment("experiments/quickstart.yaml", ["evolution.candidates=6", "seed=2"])
    >>> experiment.evolution.candidates
    6

    With `data_root`, a task with a local layout is read from `data_root/task.local.folder` in place of the hub, and
    relative paths of `corpus.sources` are below it. Raises `BadInput` with every problem of file and overrides.
    """
    path, data_root = Path(path), None if data_root is None else Path(data_root)
    data = read_yaml(path)
    problems = [problem for text in overrides if (problem := _override(data, text)) is not None]
    if data_root is not None and isinstance(task := data.get("task"), dict) and not task.get("path"):
        local = task.get("local")
        if isinstance(local, dict) and local.get("folder"):
            task["path"] = str(data_root / str(local["folder"]))
        elif task.get("generated") is None:
            problems.append(Problem(str(path), "task.local.folder", "a folder below --data-root", "none"))
    try:
        experiment = Experiment.model_validate(data)
    except ValidationError as error:
        raise BadInput([*problems, *problems_of(error, str(path))]) from None
    if problems:
        raise BadInput(problems)
    return _with_absolute_paths(experiment, path.parent, data_root)


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
    data = read_yaml(path)
    try:
        experiment = Experiment.model_validate(_in_new_keys(data))
    except ValidationError as error:
        raise BadInput(problems_of(error, str(path))) from None
    return _with_absolute_paths(experiment, path.parent)


def _in_new_keys(data: dict[str, Any]) -> dict[str, Any]:
    robustness, finalists = data.get("evaluation", {}).get("robustness", {}), data.get("finalists", {})
    if "attack" in robustness:
        robustness["search"] = {"attacks": [robustness.pop("attack")], "rows": robustness.pop("rows")}
        robustness["report"] = {"rows": finalists.pop("rows")}
    mate_kd = data.get("distillation", {}).get("mate_kd", {})
    if (rows := mate_kd.pop("rows_at_once", None)) is not None:
        mate_kd["tokens_at_once"] = 128 * rows  # 128: most tokens of a row in the texts it was set for
    return data


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises `BadInput` if the file is absent, no YAML or no mapping."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except FileNotFoundError:
        raise BadInput(Problem(str(path), "", "a YAML file", "no such file")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(Problem(str(path), "", "a readable YAML file", str(error))) from None
    except yaml.YAMLError as error:
        raise BadInput(Problem(str(path), "", "valid YAML", one_line(error, None))) from None
    if not isinstance(data, dict):
        raise BadInput(Problem(str(path), "", "a mapping of keys", type(data).__name__))
    return data


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice. YAML silently takes the last one, and half of an edit would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _override(data: dict[str, Any], text: str) -> Problem | None:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        return Problem("command line", f"-o {text}", "key.path=value", repr(text))
    *parents, last = key.strip().split(".")
    at = data
    for parent in parents:
        if at.get(parent) is None:
            at[parent] = {}
        if not isinstance(at[parent], dict):
            return Problem("command line", f"-o {key}", "a section", f"{parent} holds {at[parent]!r}")
        at = at[parent]
    try:
        at[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        return Problem("command line", f"-o {key}", "a YAML value", repr(value))
    return None
