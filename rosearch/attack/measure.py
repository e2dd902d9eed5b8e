"""Measure how robust any classifier is, from Python; `rosearch attack` is the same from the command line."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rosearch.attack.first_look import check_attacks, check_cache
from rosearch.data.tasks import Labels
from rosearch.errors import BadInput, MissingResource, Problem, Problems
from rosearch.evaluation.attacks.recipes import RECIPES, resolve
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.quality import inference
from rosearch.evaluation.robustness import Suite, SuiteResult, measure_robustness
from rosearch.materials.made_resources import Request as Request  # handed on: `rosearch attack resources --make`
from rosearch.materials.made_resources import make_resource as make_resource
from rosearch.models.device import resolve_device
from rosearch.models.lengths import longest_input
from rosearch.progress import Progress, silent
from rosearch.resources.resources import Resources

CACHE = Path(".rosearch")  # below where the user stands; nothing goes to the home folder

_AT_ONCE = 512  # rows of a prediction between two signs of progress

Row = tuple[str | tuple[str, str], int | str]


def attack(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Row],
    suite: Suite | Sequence[str],
    *,
    seed: int = 1,
    max_length: int | None = None,
    device: str | torch.device | None = None,
    resources: Resources | Path | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> SuiteResult:
    """Attack a sequence classifier of transformers on labelled rows: (text, label), or ((text, text), label).

    >>> from rosearch.attack import attack
    >>> found = attack(model, tokenizer, [("a fine film", 1), ("a dull film", 0)], ["deepwordbug", "pruthi"])
    >>> found.worst.under_attack.value

    Returns the worst case, each attack alone and each row; shares are 0 to 1.

    A label is the integer of a class or its name in `model.config.label2id`. `suite` is a `Suite`, or the names of
    attacks, which then go over all rows. Texts are cut to `max_length` tokens, by default as many as the model reads.
    The model is queried on `device` (default: where it is) and put back; weights in half precision are copied to
    float32, as attacks follow small differences. `resources` are local files or their folder (default: the folder
    that ROSEARCH_RESOURCES names); compiled plans are kept below `cache` (default: `.rosearch/`).

    Raises `BadInput` for unknown attacks, no rows, rows of one and of two texts, labels that are no classes;
    `MissingResource` where an attack needs files that are not there; what `measure_robustness` raises.
    """
    texts = [(text,) if isinstance(text, str) else tuple(text) for text, _ in rows]
    labels = _labels(texts, [label for _, label in rows], model.config)
    found = resources if isinstance(resources, Resources) else Resources(resources)
    if not isinstance(suite, Suite):
        suite = Suite(tuple(suite), len(texts), similarity=True)
    check_attacks((*suite.attacks, *suite.single_swaps), found)
    where = resolve_device(device) if isinstance(device, str) else device
    length = max_length or longest_input(model.config, tokenizer)
    with as_victim(model, tokenizer, length, where) as victim:
        return measure_robustness(
            victim, texts, labels, suite, seed=seed, resources=found, cache=open_cache(cache), progress=progress
        )


def open_cache(cache: Path | None) -> Path:
    """The folder for plans, made where it is absent; the default folder hides itself from git. Raises `BadInput`."""
    check_cache(cache)
    folder = (cache or CACHE).absolute()
    if not folder.is_dir():
        folder.mkdir(parents=True)
        if cache is None:
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder


@contextmanager
def as_victim(model: Any, tokenizer: Any, max_length: int, device: torch.device | None = None) -> Iterator[Victim]:
    """Inside, the model is on `device` (None: where it is) as attacks query it; in float32, copied if need be."""
    kinds = {parameter.dtype for parameter in model.parameters()}
    if kinds & {torch.float16, torch.bfloat16}:
        model = copy.deepcopy(model).float()
    home = next(model.parameters()).device
    device = device or home
    try:
        yield Victim(model.to(device), tokenizer, max_length, device)
    finally:
        model.to(home)


def predict_classes(
    victim: Victim, texts: Sequence[tuple[str, ...]], told: Callable[[int, int], None] | None = None
) -> Labels:
    """The class of each row (rows,). `told` gets the number of rows that are done, and of all."""
    classes = np.empty(len(texts), np.int64)
    order = sorted(range(len(texts)), key=lambda row: sum(map(len, texts[row])))  # alike lengths share a batch
    with inference(victim.model, victim.device):
        for start in range(0, len(texts), _AT_ONCE):
            if told is not None:
                told(start, len(texts))
            rows = order[start : start + _AT_ONCE]
            classes[rows] = victim([texts[row] for row in rows]).argmax(dim=1).numpy()
    if told is not None:
        told(len(texts), len(texts))
    return classes


def _labels(texts: Sequence[tuple[str, ...]], labels: Sequence[int | str], config: Any) -> Labels:
    """The classes (rows,) as integers. Raises `BadInput` with all problems of the rows."""
    index = {str(name): int(place) for name, place in (config.label2id or {}).items()}
    found = [index.get(label, -1) if isinstance(label, str) else int(label) for label in labels]
    bad = [row for row, label in enumerate(found) if not 0 <= label < config.num_labels]
    problems = []
    if not texts:
        problems.append(Problem("rows", "", "at least one row", "none"))
    if len({len(row) for row in texts}) > 1 or any(len(row) > 2 for row in texts):
        problems.append(Problem("rows", "texts", "one text in each row, or two in each", "a mixture"))
    if bad:
        expected = f"0 to {config.num_labels - 1}, or one of {', '.join(index)}"
        got = f"{', '.join(repr(labels[row]) for row in bad[:5])} ({len(bad)} of {len(labels)} rows)"
        problems.append(Problem("rows", "labels", expected, got))
    if problems:
        raise BadInput(problems)
    return np.asarray(found, np.int64)


@dataclass(frozen=True)
class AttackState:
    """A recipe with the resources at hand. `missing` names in words what it lacks to run; "" where it runs."""

    name: str
    runs_as: str  # the recipe behind the name: a variant where the stock one lacks its WordNet
    paper: str
    needs: tuple[str, ...]
    missing: str
    differs: str
    note: str
    reads: tuple[str, ...]  # where its candidates come from: origins of word lists, a masked LM, edits of letters


def open_resources(folder: Path | None) -> Resources:
    """The resources in a folder; by default in the one that ROSEARCH_RESOURCES names."""
    return Resources(folder)


def attack_states(resources: Resources) -> list[AttackState]:
    """Every recipe, in the order of the registry."""
    states = []
    for recipe in RECIPES.values():
        found, missing = recipe, recipe.asks
        absent = [name for name in recipe.needs if not resources.has(name)]
        if not missing:
            try:
                found = resolve(recipe.name, resources)
            except MissingResource:
                missing = ", ".join(absent)
        states.append(
            AttackState(
                recipe.name, found.name, recipe.paper, recipe.needs, missing, found.differs, recipe.note, found.reads
            )
        )
    return states


# Loaders that show whether a resource can be read; of a masked language model, headers are.
_LOADERS: dict[str, Callable[[Resources], object]] = {
    "wordnet-3.0": lambda resources: resources.wordnet("wordnet-3.0"),
    "oewn": lambda resources: resources.wordnet("oewn"),
    "neighbours": lambda resources: resources.neighbours(),
    "withheld_neighbours": lambda resources: resources.withheld_neighbours(),
    "vectors": lambda resources: resources.vectors(),
    "corpus_vectors": lambda resources: resources.corpus_vectors(),
    "antonyms": lambda resources: resources.antonyms(),
    "tagger": lambda resources: resources.tagger(),
    "sentence_encoder": lambda resources: resources.sentence_encoder(),
    "masked_lm": lambda resources: resources.require(["masked_lm"], "a check"),
    "homoglyphs": lambda resources: resources.homoglyphs(),
}


def unreadable_resources(resources: Resources) -> list[Problem]:
    """Loads all resources that were found, which takes seconds; returns their problems."""
    problems = Problems()
    for name, load in _LOADERS.items():
        with problems:
            if resources.has(name):
                load(resources)
    return problems.found
