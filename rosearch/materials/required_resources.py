"""The resources that an experiment needs beside its task and teacher: recipes of attacks, and word lists.

They are asked for before anything is trained, and nothing is loaded. A missing one would otherwise come up in a worker,
candidate after candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from rosearch.config.distillation import DistillationConfig
from rosearch.config.experiment import Experiment
from rosearch.errors import BadInput, MissingResource, Problem
from rosearch.evaluation.attacks.recipes import EDITS, ORIGINS, RECIPES, Recipe, resolve
from rosearch.materials.made_resources import how_to_make
from rosearch.resources.functions import find_functions
from rosearch.resources.resources import Resources

_WORD_TABLE = ("neighbours", "wordnet")


def attack_resources(experiment: Experiment) -> Resources:
    """The places of the word lists and models of the attacks; nothing is loaded yet."""
    return Resources(experiment.evaluation.robustness.resources)


def word_lists(experiment: Experiment) -> Resources:
    """The word lists that a defence may read: without the half of their pairs that is withheld, if one is."""
    return Resources(experiment.evaluation.robustness.resources, withhold=experiment.distillation.withhold)


def lists_of_word_table(config: DistillationConfig) -> tuple[str, ...]:
    """The resources that say which words of the students' first table are synonyms."""
    return _WORD_TABLE if config.word_table == "metric" else ()


def find_recipes(experiment: Experiment, resources: Resources) -> dict[str, Recipe]:
    """The recipe behind each name in both suites. A regression has none: it is not attacked.

    Raises `BadInput` for an unknown name, or for two names of one recipe that must differ; `MissingResource` with
    everything that is missing, in one line.
    """
    found: dict[str, Recipe] = {}

    def find(name: str) -> None:
        found[name] = resolve(name, resources)

    _all_there(partial(find, name) for name in attack_names(experiment))
    if found:
        _check_differ(experiment, {name: recipe.name for name, recipe in found.items()})
    return found


def fingerprints(experiment: Experiment, resources: Resources) -> dict[str, str]:
    """The attacks of both suites, and the user's own functions that the training calls, with digests of their sources.

    The lists behind the students' word table are among them, where it is moved.

    Raises `BadInput` and `MissingResource` as `find_recipes` and `find_functions` do.
    """
    recipes = find_recipes(experiment, resources).values()
    functions = find_functions(experiment.distillation.functions).values()
    found = {"attacks": " ".join(recipe.identity for recipe in recipes)}
    own = " ".join(f"{function.name}@{function.digest}" for function in functions)
    lists = lists_of_word_table(experiment.distillation)
    table = {"word table": word_lists(experiment).fingerprint(lists)} if lists else {}
    return found | ({"functions of the training": own} if own else {}) | table


def _check_differ(experiment: Experiment, resolved: dict[str, str]) -> None:
    """Hold the recipes to the rules of the config. `pwws` may stand for another recipe that is named as well."""
    key, suites = "evaluation.robustness", experiment.evaluation.robustness
    search, report = ([resolved[name] for name in suite.attacks] for suite in (suites.search, suites.report))
    problems = [
        Problem("experiment", f"{key}.{name}.attacks", "each attack once", ", ".join(attacks))
        for name, attacks in (("search", search), ("report", report))
        if len(set(attacks)) < len(attacks)
    ]
    if set(report) <= set(search):
        expected = "at least one attack that search has not"
        problems.append(Problem("experiment", f"{key}.report.attacks", expected, ", ".join(report)))
    if problems:
        raise BadInput(problems)


def require_independent(experiment: Experiment, encodings: Iterable[str]) -> None:
    """Requires of the report an attack that reads no word list which the students' encodings or their training read.

    An attack counts where a list or a masked LM gives it words, or the letters that it edits are no subject of the
    defence; one of the user's own always does. A defence without word lists has nothing to share. Raises `BadInput`.
    """
    suite, resources = experiment.evaluation.robustness.report, attack_resources(experiment)
    known = _known_to_the_defence(experiment, encodings)
    lists = known - {EDITS}
    if not lists or not experiment.attacked or suite.allow_shared_lists:
        return
    recipes = [RECIPES[name] for name in suite.attacks if name in RECIPES]
    if len(recipes) < len(suite.attacks) or any(_independent(recipe, known) for recipe in recipes):
        return
    key = "evaluation.robustness.report.attacks"
    expected = f"one that shares nothing with the defence, which knows {', '.join(sorted(known))}"
    got = "; ".join(f"{recipe.name} ({', '.join(recipe.reads) or 'no list'})" for recipe in recipes)
    raise BadInput(Problem("experiment", key, expected, got, _independent_ones(known, resources)))


_ASKED = {"masked_lm": "bert-attack-minilm", "corpus_vectors": "textfooler-corpus"}  # by what each draws words from


def _independent_ones(known: set[str], resources: Resources) -> str:
    """In words, attacks that share nothing with a defence, and how to make what they lack."""
    asked = {need: name for need, name in _ASKED.items() if ORIGINS[need] not in known}
    lacking = tuple(need for need in asked if not resources.has(need))
    made = f"Make what they need ({how_to_make(lacking)}), then name" if lacking else "Name"
    names = " or ".join([*asked.values(), "textfooler-withheld (distillation.withhold)"])
    return f"{made} {names}, or say allow_shared_lists: true"


def _independent(recipe: Recipe, known: set[str]) -> bool:
    """True where the recipe has candidates that the defence does not know, and reads none of its lists."""
    reads = set(recipe.reads)
    return not recipe.adapts and bool(reads - known) and not (reads - {EDITS}) & known


def _known_to_the_defence(experiment: Experiment, encodings: Iterable[str]) -> set[str]:
    """The origins of all that encodings and training read; edits of letters too, where either has them as a subject."""
    from rosearch.encodings.tokenizer import lists_of  # late, as below
    from rosearch.training.trainer import METHODS

    config, encodings = experiment.distillation, list(encodings)
    read = [name for encoding in encodings for name in lists_of(encoding)]
    read += [name for names in METHODS[config.method].reads(config).values() for name in names]
    read += lists_of_word_table(config)
    read += ["withheld_neighbours"] if "neighbours" in read and not config.withhold else []
    known = {ORIGINS[name] for name in read if name in ORIGINS}
    if any("typos" in encoding for encoding in encodings):
        known.add(EDITS)
    if config.method == "robust_kd":
        known |= {EDITS} if "characters" in config.robust_kd.sources else set()
        known |= {origin for name in config.robust_kd.run_attacks if name in RECIPES for origin in RECIPES[name].reads}
    return known


def attack_names(experiment: Experiment) -> tuple[str, ...]:
    """Each attack that an experiment names, once, in the order of the file."""
    if not experiment.attacked:
        return ()
    suites = (experiment.evaluation.robustness.search, experiment.evaluation.robustness.report)
    return tuple(dict.fromkeys(name for suite in suites for name in (*suite.attacks, *suite.single_swaps)))


def require_training(experiment: Experiment, encodings: Iterable[str]) -> None:
    """Require the resources of the students' word encodings, of the method of distillation and of its start.

    Raises `BadInput` for unknown attacks to train on, attacks without a class to flip, or models that are not whole;
    `MissingResource` with everything that is missing, in one line.
    """
    # Late: these load torch, and the attacks of an experiment are looked at without it.
    from rosearch.encodings.tokenizer import lists_of
    from rosearch.student.inherit import check_initial
    from rosearch.training.trainer import METHODS

    resources, config = attack_resources(experiment), experiment.distillation
    attacks = config.robust_kd.run_attacks if config.method == "robust_kd" else {}
    for name, key in attacks.items() if not experiment.attacked else ():
        expected = "none: a regression has no class to flip"
        raise BadInput(Problem("experiment", f"distillation.robust_kd.{key}", expected, name))
    lists = {f"encoding {name}": lists_of(name) for name in encodings}
    lists["distillation.word_table: metric"] = lists_of_word_table(config)
    _all_there(
        [
            partial(resources.require_all, lists | METHODS[config.method].reads(config)),
            *(partial(resolve, name, resources) for name in attacks),
            partial(METHODS[config.method].check, config),
            *([] if config.initial is None else [partial(check_initial, config.initial)]),
        ]
    )


def _all_there(needs: Iterable[Callable[[], object]]) -> None:
    """Raise one `MissingResource` that names everything missing once."""
    missing: dict[str, None] = {}
    for need in needs:
        try:
            need()
        except MissingResource as error:
            missing[str(error)] = None
    if missing:
        raise MissingResource("; ".join(missing))
