"""The sources of perturbed text by name, what each reads, and how they are opened for a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rosearch.resources.resources import Resources
from rosearch.training.method import TrainingInputs
from rosearch.training.refill import Refill
from rosearch.training.text_sources import Characters, Listed, OtherWords, Source, WordSource

_LISTS = {  # resource of each source
    "synonyms": "neighbours",
    "wordnet": "wordnet",
    "refill": "masked_lm",
    "hull": "neighbours",
}


def _synonyms(inputs: TrainingInputs, resources: Resources) -> WordSource:
    """Neighbours in the counter-fitted embedding space: the lists that the `synonym-swap` attack reads."""
    return Listed(resources.neighbours().of)


def _wordnet(inputs: TrainingInputs, resources: Resources) -> WordSource:
    """Synonyms from any synset of the word, as PWWS takes them (Ren et al. 2019, ACL P19-1103)."""
    return Listed(resources.wordnet().synonyms)


def _refill(inputs: TrainingInputs, resources: Resources) -> Source:
    """Its synonyms are those that the other sources read: what a defence reads follows from its settings alone."""
    listed = [TEXT_SOURCES[name](inputs, resources) for name in _SYNONYMS if name in inputs.config.robust_kd.sources]
    return Refill.open(inputs, resources.masked_lm(), [one for one in listed if isinstance(one, Listed)])


_SYNONYMS = ("synonyms", "wordnet")

TEXT_SOURCES: dict[str, Callable[[TrainingInputs, Resources], Source]] = {
    "characters": lambda inputs, resources: Characters(),
    "synonyms": _synonyms,
    "wordnet": _wordnet,
    "other_words": lambda inputs, resources: OtherWords(inputs.texts),
    "refill": _refill,
}


def open_sources(names: Sequence[str], inputs: TrainingInputs) -> dict[str, Source]:
    """The named sources for a training.

    Raises `MissingResource` with all word lists and models that are missing, `BadInput` for a masked LM that cannot
    fill in words.
    """
    resources = inputs.lists
    resources.require_all({f"distillation.robust_kd.sources: {name}": lists_of([name]) for name in names})
    return {name: TEXT_SOURCES[name](inputs, resources) for name in names}


def lists_of(names: Sequence[str]) -> tuple[str, ...]:
    """The resources that the named sources read; sources of perturbed embeddings count too."""
    return tuple(dict.fromkeys(_LISTS[name] for name in names if name in _LISTS))
