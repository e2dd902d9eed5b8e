"""The checks of an experiment before a run folder is made; `rosearch check` runs them alone."""

from __future__ import annotations

from collections.abc import Callable

from rosearch.config.experiment import Experiment
from rosearch.errors import BadInput, Problem, Problems
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.registry import make_strategy
from rosearch.evolution.strategy import Strategy
from rosearch.records.run_directory import RunDirectory
from rosearch.run.founders import founders_of, proposals_of
from rosearch.run.observer import Observer
from rosearch.space.known import known_architecture
from rosearch.space.loading import load_space
from rosearch.space.size_limit import SizeLimit


def check_experiment(experiment: Experiment, where: str) -> None:
    """Raise `BadInput` with every problem of the space, baselines, warm starts and attacks that an experiment names."""
    from rosearch.materials.kind import kind_of

    problems = Problems()
    with problems:
        space = load_space(experiment.search_space)
    for position, name in enumerate(experiment.baselines):
        try:
            known_architecture(name)
        except (BadInput, KeyError) as error:
            problems.add(Problem(where, f"baselines.{position}", "a named architecture", f"{name!r} ({error})"))
    problems.add(*_unknown_attacks(experiment, where))
    problems.raise_found()
    problems.add(*kind_of(experiment).problems(experiment, space, where))
    problems.raise_found()
    taken = proposals_of(founders_of(experiment, space, where))
    make_strategy(experiment.evolution, space, experiment.seed, Yardstick(experiment.fitness, 1.0, 1.0), taken=taken)


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


def _unknown_attacks(experiment: Experiment, where: str) -> list[Problem]:
    from rosearch.evaluation.attacks.recipes import is_known, known_names

    robustness = experiment.evaluation.robustness
    named = [
        (f"evaluation.robustness.{suite}.{key}.{position}", name)
        for suite, config in (("search", robustness.search), ("report", robustness.report))
        for key, names in (("attacks", config.attacks), ("single_swaps", config.single_swaps))
        for position, name in enumerate(names)
    ]
    if experiment.distillation.method == "robust_kd":
        trained_on = enumerate(experiment.distillation.robust_kd.attacks)
        named += [(f"distillation.robust_kd.attacks.{position}", name) for position, name in trained_on]
    return [Problem(where, key, known_names(), repr(name)) for key, name in named if not is_known(name)]


def complete(experiment: Experiment, note: Callable[[str], None]) -> Experiment:
    """The experiment with the labels and the length of its task; `note` is told what of them was derived.

    Raises `BadInput` and `MissingResource` as `materials.derivation.derive` does.
    """
    from rosearch.materials.derivation import derive

    completed, told = derive(experiment)
    for line in told:
        note(line)
    return completed


def check_resources(experiment: Experiment) -> dict[str, str]:
    """Everything that an experiment takes from outside, in words: data, teacher, device, space, word lists.

    Nothing is written. Raises `BadInput` with all that does not fit, `MissingResource` for the first thing that is
    not there.
    """
    from rosearch.materials.kind import kind_of

    space = load_space(experiment.search_space)
    founders = "; ".join(map(str, founders_of(experiment, space).values()))
    return kind_of(experiment).check(experiment, space) | ({"warm start": founders} if founders else {})
