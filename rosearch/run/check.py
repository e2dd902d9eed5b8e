"""Is an experiment fit to run? Asked before a run folder is made, and by `rosearch check`."""

from __future__ import annotations

from rosearch.config.experiment import Experiment
from rosearch.errors import BadInput, Problem
from rosearch.evolution.strategies import make_strategy
from rosearch.space.known import known_architecture
from rosearch.space.loading import load_space
from rosearch.space.space import Space


def check_experiment(experiment: Experiment, where: str) -> None:
    """Raise `BadInput` with every problem of what an experiment names: space, baselines, warm starts, attacks."""
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
    problems += _unknown_attacks(experiment, where)
    if not problems:
        problems += _other_tokens(experiment, space, where)
    if not problems:
        try:
            make_strategy(experiment.evolution, experiment.fitness, space, experiment.seed, 1.0, 1.0)
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)


def _other_tokens(experiment: Experiment, space: Space, where: str) -> list[Problem]:
    """Methods that compare student and teacher token by token need students that read the teacher's tokens."""
    from rosearch.training.trainer import METHODS

    method = experiment.distillation.method
    others = [name for name in space.encodings if name != "wordpiece"]
    if experiment.distillation.target == "encoder" and others:
        expected = "wordpiece alone, for encoders: they are held against the teacher token by token"
        return [Problem(where, "search_space", expected, f"{space.name} with {', '.join(others)}")]
    if not (METHODS[method].one_tokenizer and others):
        return []
    expected = "a method that reads outputs alone (kd, ad2, robust_kd): the space has encodings other than wordpiece"
    return [Problem(where, "distillation.method", expected, method)]


def _unknown_attacks(experiment: Experiment, where: str) -> list[Problem]:
    from rosearch.evaluation.attacks.recipes import RECIPES

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
    known = f"one of {', '.join(recipe.name for recipe in RECIPES.values() if not recipe.asks)}"
    return [Problem(where, key, known, repr(name)) for key, name in named if name not in RECIPES]


def check_resources(experiment: Experiment) -> dict[str, str]:
    """What an experiment needs from outside, in words: data, teacher, device, space, word lists. Nothing is written.

    Raises `BadInput` with all that does not fit, `MissingResource` for the first thing that is not there.
    """
    if experiment.distillation.target == "encoder":
        return _check_encoder_resources(experiment)
    from rosearch.data.loading import load_task
    from rosearch.materials.required_resources import attack_resources, find_recipes, require_training
    from rosearch.materials.task import task_seed
    from rosearch.models.device import resolve_device
    from rosearch.training.teacher import find_teacher

    config = experiment.require_task()
    space = load_space(experiment.search_space)
    recipes = find_recipes(experiment, attack_resources(experiment))
    require_training(experiment, space.encodings)
    device = resolve_device(experiment.execution.device)
    task = load_task(config, task_seed(experiment))
    teacher = find_teacher(experiment.teacher, task, config.max_length)
    rows = ", ".join(f"{len(getattr(task, split))} {split}" for split in ("train", "validation", "test"))
    kind = "fine-tuned" if teacher.has_head else "only pretrained: the first run fine-tunes it"
    return {
        "task": f"{task.name}: {rows} rows",
        "teacher": f"{teacher.weights}, {kind}",
        "device": str(device),
        "space": f"{space.name}: {space.describe()}",
        **_attacks_in_words(experiment, {name: recipe.name for name, recipe in recipes.items()}),
    }


def _check_encoder_resources(experiment: Experiment) -> dict[str, str]:
    from rosearch.data.corpus_sources import find_sources
    from rosearch.materials.encoder import find_encoder
    from rosearch.models.device import resolve_device

    assert experiment.corpus is not None
    device, space = resolve_device(experiment.execution.device), load_space(experiment.search_space)
    teacher, _, _ = find_encoder(experiment, space.most_layers)
    sources = find_sources(experiment.corpus)
    if problems := [problem for source in sources for problem in source.problems()]:
        raise BadInput(problems)
    text = ", ".join(source.where for source in sources)
    return {
        "corpus": f"{text}; blocks of {experiment.corpus.block_length} tokens",
        "teacher": str(teacher),
        "device": str(device),
        "space": f"{space.name}: {space.describe()}",
    }


def _attacks_in_words(experiment: Experiment, resolved: dict[str, str]) -> dict[str, str]:
    if not resolved:
        return {}
    robustness = experiment.evaluation.robustness
    search, report = (
        f"{', '.join(resolved[name] for name in suite.attacks)} on {suite.rows} rows"
        for suite in (robustness.search, robustness.report)
    )
    return {"attacks": f"search: {search}; finalists: {report}"}
