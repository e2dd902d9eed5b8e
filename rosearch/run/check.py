"""The checks of an experiment before a run folder is made; `rosearch check` runs them alone.

>>> looked = look_at("experiment.yaml")  # no torch
>>> check_all(looked, "experiment.yaml")[1]["task"]
'tickets: 4,000 train, 1,000 validation, 500 test rows'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosearch.config.file import read_data, written
from rosearch.config.places import placed
from rosearch.config.shipped import SPACES
from rosearch.errors import BadInput, Problem, Problems, nearest

if TYPE_CHECKING:
    from rosearch.config.draft import Draft
    from rosearch.config.experiment import Experiment
    from rosearch.evolution.strategy import Strategy
    from rosearch.records.run_directory import RunDirectory
    from rosearch.run.observer import Observer
    from rosearch.space.size_limit import SizeLimit
    from rosearch.space.space import Space


@dataclass(frozen=True)
class Looked:
    """An experiment in which nothing is wrong so far, and its task where its rows were read."""

    experiment: Experiment
    task: Any = None


def look_at(path: str | Path, overrides: Iterable[str] = (), data_root: str | Path | None = None) -> Looked:
    """The experiment of a file or a name, in which nothing is wrong as far as can be told without torch.

    Nothing is written. Raises `BadInput` with all that is wrong, each with the line of its key: schema, names, space,
    rows, teacher, attacks; `MissingResource` where only something is not there, such as the cluster of its workers.
    """
    overrides = tuple(overrides)
    with placed(written(path, overrides)):
        data = read_data(path)
        from rosearch.config.draft import read_draft  # late, as all below: a wrong path is told before they are loaded
        from rosearch.materials.first_look import look_outside
        from rosearch.space.loading import load_space

        draft = read_draft(data, path, overrides, data_root)
        problems = Problems(missing=True)
        problems.add(*draft.problems)
        if draft.sound("search_space"):
            with problems:
                space = load_space(_space_file(draft, str(path)))
                problems.add(*_too_small_a_limit(draft, space, str(path)))
                with problems:
                    _require_founders(draft, space, str(path))
        problems.add(*_wrong_names(draft, str(path)))
        task = look_outside(draft, problems)
        if (problems.found or problems.missing) and draft.sound("execution") and _asks_for_gpu(draft.experiment):
            from rosearch.models.device import resolve_devices  # torch: only it knows

            with problems:
                resolve_devices(draft.experiment.execution.devices or [draft.experiment.execution.device])
        if draft.sound("execution.track") and draft.experiment.execution.track:
            from rosearch.run.tracking import require_trackers

            with problems:
                require_trackers(draft.experiment.execution.track)
        if draft.sound("execution") and draft.experiment.execution.backend == "ray":
            from rosearch.run.backends.ray_cluster import require_cluster

            with problems:
                require_cluster(draft.experiment.execution.address)
        problems.raise_found()
    return Looked(draft.experiment, task)


def _space_file(draft: Draft, where: str) -> Path:
    """The file of the search space. Raises `BadInput` that names the key where there is none."""
    space = draft.experiment.search_space
    if not space.is_file():
        expected = "a file, or a name that `rosearch spaces` lists"
        raise BadInput(Problem(where, "search_space", expected, f"no such file: {space}", SPACES.meant(space)))
    return space


def _require_founders(draft: Draft, space: Space, where: str) -> None:
    """Raises `BadInput` where a run to begin with is not there or has nothing on its front that fits the space."""
    from rosearch.config.evolution import FROM_RUN

    named = draft.experiment.evolution.warm_start
    if draft.sound("evolution.warm_start") and any(name.startswith(FROM_RUN) for name in named):
        from rosearch.run.founders import founders_of

        founders_of(draft.experiment, space, where)


def check_all(looked: Looked, path: str | Path, overrides: Iterable[str] = ()) -> tuple[Experiment, dict[str, str]]:
    """The experiment with labels and length of its task, and everything that it takes from outside, in words, by name.

    Raises as `look_at`, for what torch alone can tell.
    """
    derived: list[str] = []
    with placed(written(path, overrides)):
        problems = Problems(missing=True)
        with problems:
            check_experiment(looked.experiment, str(path))
        with problems:
            experiment = complete(looked.experiment, derived.append)
            found = check_resources(experiment, looked.task)
        problems.raise_found()
    return experiment, {**({"derived": "; ".join(derived)} if derived else {}), **found}


def _asks_for_gpu(experiment: Experiment) -> bool:
    return experiment.execution.own_device.startswith("cuda")


def check_experiment(experiment: Experiment, where: str) -> None:
    """Raise `BadInput` with every problem of the space, baselines, warm starts and attacks that an experiment names."""
    from rosearch.config.draft import Draft
    from rosearch.evolution.fitness import Yardstick
    from rosearch.evolution.registry import make_strategy
    from rosearch.materials.kind import kind_of
    from rosearch.run.founders import founders_of, proposals_of
    from rosearch.space.loading import load_space

    problems = Problems()
    with problems:
        space = load_space(experiment.search_space)
    problems.add(*_wrong_names(Draft(experiment, ()), where))
    problems.raise_found()
    problems.add(*kind_of(experiment).problems(experiment, space, where))
    with problems:
        taken = proposals_of(founders_of(experiment, space, where))
        yardstick = Yardstick(experiment.fitness, 1.0, 1.0)
        make_strategy(experiment.evolution, space, experiment.seed, yardstick, taken=taken)
    problems.raise_found()


def check_room(run: RunDirectory, strategy: Strategy, limit: SizeLimit | None, observer: Observer) -> None:
    """Says which warm starts are left out. Raises `BadInput` where no student of the space is small enough."""
    if limit is not None:
        for founder in strategy.too_large:
            size = f"its {limit.parameters(founder.genotype):,} parameters are above fitness.max_parameters"
            observer.note(f"{founder.origin} is left out: {size}")
    if strategy.without_room:
        origins = ", ".join(founder.origin for founder in strategy.without_room)
        observer.note(f"left out, as the first generation has no room for them: {origins}")
    if limit is not None and strategy.finished:
        expected = "room for a student of the search space"
        fix = "No student that small was found. Raise it, or search a space of smaller ones"
        raise BadInput(Problem(str(run.experiment_file), "fitness.max_parameters", expected, f"{limit.most:,}", fix))


def _too_small_a_limit(draft: Draft, space: Space, where: str) -> Iterator[Problem]:
    """A limit of size below every student of the space, as far as that is known without the teacher.

    It alone tells how many words an encoding other than WordPiece leaves: here such a table counts one.
    """
    from rosearch.space.search_space import SearchSpace

    most = draft.experiment.fitness.max_parameters
    if most is None or not draft.sound("fitness") or not isinstance(space, SearchSpace):
        return
    counted = space if space.encodings == ("wordpiece",) else replace(space, vocabulary=1)
    least = min((counted.parameter_range(*shape)[0] for shape in space.shapes), default=0)
    if most < least:
        expected = f"at least {least:,}: no student of {space.name} is smaller"
        yield Problem(where, "fitness.max_parameters", expected, f"{most:,}", "Raise it, or search another space")


def _wrong_names(draft: Draft, where: str) -> Iterator[Problem]:
    from rosearch.config.evolution import FROM_RUN
    from rosearch.config.experiment import names_a_model
    from rosearch.space.known import KNOWN

    experiment = draft.experiment
    for key, names in (("baselines", experiment.baselines), ("evolution.warm_start", experiment.evolution.warm_start)):
        for position, name in enumerate(names):
            other = name.startswith(FROM_RUN) if "warm" in key else names_a_model(name)
            if draft.sound(key) and name not in KNOWN and not other:
                model = "" if "warm" in key else ", or a model (a hub name with its owner, ./FOLDER, package:NAME)"
                expected = f"one of {', '.join(KNOWN)}{model}"
                yield Problem(where, f"{key}.{position}", expected, repr(name), nearest(name, KNOWN))
    yield from _unknown_attacks(draft, where)


def _unknown_attacks(draft: Draft, where: str) -> list[Problem]:
    from rosearch.evaluation.attacks.recipes import unknown_attacks

    experiment, robustness = draft.experiment, draft.experiment.evaluation.robustness
    named = [
        (where, f"evaluation.robustness.{suite}.{key}.{position}", name)
        for suite, config in (("search", robustness.search), ("report", robustness.report))
        for key, names in (("attacks", config.attacks), ("single_swaps", config.single_swaps))
        for position, name in enumerate(names)
    ]
    if experiment.distillation.method == "robust_kd":
        for key in ("attacks", "snapshot_attacks"):
            met = enumerate(getattr(experiment.distillation.robust_kd, key))
            named += [(where, f"distillation.robust_kd.{key}.{position}", name) for position, name in met]
    return [problem for problem in unknown_attacks(named) if draft.sound(problem.key.rpartition(".")[0])]


def complete(experiment: Experiment, note: Callable[[str], None]) -> Experiment:
    """The experiment with the labels and the length of its task; `note` is told what of them was derived.

    Raises `BadInput` and `MissingResource` as `materials.derivation.derive` does.
    """
    from rosearch.materials.derivation import derive

    completed, told = derive(experiment)
    for line in told:
        note(line)
    return completed


def check_resources(experiment: Experiment, task: Any = None) -> dict[str, str]:
    """Everything that an experiment takes from outside, in words: data, teacher, device, space, word lists.

    `task` is the experiment's, where its rows were read before. Nothing is written. Raises `BadInput` with all that
    does not fit, `MissingResource` with all that is not there.
    """
    from rosearch.materials.kind import kind_of
    from rosearch.run.founders import founders_of
    from rosearch.space.loading import load_space

    space = load_space(experiment.search_space)
    founders = "; ".join(map(str, founders_of(experiment, space).values()))
    return kind_of(experiment).check(experiment, space, task) | ({"warm start": founders} if founders else {})


def estimate_time(experiment: Experiment, task: Any = None) -> dict[str, str]:
    """The time of the whole search on this machine, in words; nothing where it is not estimated. Nothing is written."""
    from rosearch.materials.kind import kind_of
    from rosearch.space.loading import load_space

    told = kind_of(experiment).estimate(experiment, load_space(experiment.search_space), task)
    return {"estimate": told} if told else {}
