"""Is an experiment fit to run? Asked before a run folder is made, and by `rosearch check`."""

from __future__ import annotations

from rosearch.config import Experiment
from rosearch.errors import BadInput, Problem
from rosearch.evolution.strategies import make_strategy
from rosearch.space.known import known_architecture
from rosearch.space.search_space import load_space


def check_experiment(experiment: Experiment, where: str) -> None:
    """Raise `BadInput` with every problem of what an experiment names: its space, baselines and warm starts."""
    problems: list[Problem] = []
    try:
        space = load_space(experiment.search_space)
    except BadInput as error:
        problems += error.problems
    for position, name in enumerate(experiment.baselines):
        try:
            known_architecture(name)
        except (BadInput, KeyError) as error:
            problems.append(Problem(where, f"baselines.{position}", "a named architecture", f"{name!r} ({error})"))
    if not problems:
        try:
            make_strategy(experiment.evolution, experiment.fitness, space, experiment.seed, 1.0, 1.0)
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)


def check_resources(experiment: Experiment) -> dict[str, str]:
    """What an experiment needs from outside, in words: data, teacher, device, space. Nothing is written.

    Raises `BadInput` with all that does not fit, `MissingResource` for the first thing that is not there.
    """
    from rosearch.data.loading import load_task
    from rosearch.distillation.device import resolve_device
    from rosearch.distillation.teacher import find_teacher
    from rosearch.materials import task_seed

    device = resolve_device(experiment.execution.device)
    task = load_task(experiment.task, task_seed(experiment))
    teacher = find_teacher(experiment.teacher, task, experiment.task.max_length)
    rows = ", ".join(f"{len(getattr(task, split))} {split}" for split in ("train", "validation", "test"))
    space = load_space(experiment.search_space)
    kind = "fine-tuned" if teacher.has_head else "only pretrained: the first run fine-tunes it"
    return {
        "task": f"{task.name}: {rows} rows",
        "teacher": f"{teacher.weights}, {kind}",
        "device": str(device),
        "space": f"{space.name}: {space.min_nodes} to {space.max_nodes} nodes, {len(space.operations)} operations",
    }
