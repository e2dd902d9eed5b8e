"""Settings of distillation that a search may choose for each candidate: the genes of its training.

>>> put_over(experiment.distillation, genotype.training).robust_kd.average
0.998

A space lists their values (`training:`), and a genotype holds one of each. The experiment's `distillation` says
everything else. This list and the sections of the config are all that knows the keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from rosearch.config.choices import is_own
from rosearch.config.distillation import DistillationConfig
from rosearch.config.keys import Key, read_keys
from rosearch.config.section import problems_of
from rosearch.errors import nearest, shown
from rosearch.space.node import GeneValue

# Keys of `distillation`: any that changes neither what a student costs at inference nor the steps and the rows that it
# is trained on may stand here. What a method's section allows for one alone, it must allow beside any value of another.
GENES = (
    "learning_rate",
    "label_smoothing",
    "flood",
    "robust_kd.sources",
    "robust_kd.words",
    "robust_kd.ramp",
    "robust_kd.guided",
    "robust_kd.guide",
    "robust_kd.refill_words",
    "robust_kd.weight",
    "robust_kd.consistency",
    "robust_kd.epsilon",
    "robust_kd.average",
)

Genes = tuple[tuple[str, GeneValue], ...]
Choices = Mapping[str, Sequence[GeneValue]]  # the values of each gene
_Found = tuple[str, str, str, str]  # key, expected, got, fix


def put_over(config: DistillationConfig, genes: Iterable[tuple[str, GeneValue]]) -> DistillationConfig:
    """The settings of a candidate's distillation: those of its experiment, with its genes in their place."""
    for name, value in genes:
        config = cast(DistillationConfig, _replaced(config, name, list(value) if isinstance(value, tuple) else value))
    return config


def put_all_over(config: DistillationConfig, choices: Choices) -> Iterator[tuple[str, GeneValue, DistillationConfig]]:
    """Each value of each gene, with the settings in which it alone differs from the experiment's."""
    for name, values in choices.items():
        for value in values:
            yield name, value, put_over(config, [(name, value)])


def covering(config: DistillationConfig, choices: Choices) -> DistillationConfig:
    """The settings with every member of every list that they or a choice of theirs have: they need all resources."""
    lists = {name: values for name, values in choices.items() if any(isinstance(value, tuple) for value in values)}
    for name, values in lists.items():
        section, key = _section(config, name)
        every = [*getattr(section, key), *(one for value in values if isinstance(value, tuple) for one in value)]
        config = put_over(config, [(name, tuple(dict.fromkeys(every)))])
    return config


def unread(config: DistillationConfig, names: Iterable[str]) -> list[str]:
    """The genes that lie in the section of another method than the experiment's, which reads none of them."""
    return [name for name in names if "." in name and name.partition(".")[0] != config.method]


def in_words(value: GeneValue) -> str:
    """A value as tables say it: `characters+synonyms`, `0.998`, `none`."""
    if isinstance(value, tuple):
        return "+".join(value)
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else f"{value}"


def all_in_words(genes: Iterable[tuple[str, GeneValue]]) -> str:
    """Genes as a line of text: `robust_kd.average 0.998, robust_kd.words 0.25`."""
    return ", ".join(f"{name} {in_words(value)}" for name, value in genes)


@cache
def key_of(name: str) -> Key:
    """The key of the config that a gene is: meaning, type, default, the names that it takes."""
    model, key = _model(name)
    found = read_keys(_schema(model)).at(key)
    assert found is not None  # the name is one of GENES
    return found


def schema_of(name: str) -> dict[str, Any]:
    """The JSON schema of a value of a gene, with the description of its key."""
    model, key = _model(name)
    given: dict[str, Any] = _schema(model)["properties"][key]
    found = {word: value for word, value in given.items() if word not in ("title", "default")}
    if "also" in found.get("items", {}):  # functions of the user's own, which are no genes
        found["items"] = next(one for one in found["items"]["anyOf"] if "enum" in one)
        found["description"] += " In a space names alone."
    return found


def typed(name: str, value: object) -> GeneValue:
    """A value of a gene in the type of its key, lists as tuples. Raises `ValidationError` by the section's rules."""
    model, key = _model(name)
    found = getattr(model.model_validate({key: list(value) if isinstance(value, tuple) else value}), key)
    return tuple(found) if isinstance(found, list) else cast(GeneValue, found)


def value_problems(name: str, value: object) -> list[_Found]:
    """All that is wrong with one value of one of `GENES`."""
    model, key = _model(name)
    try:
        found = typed(name, value)
    except ValidationError as error:
        told = problems_of(error, "", model)
        return [(f"{name}{one.key.removeprefix(key)}", one.expected, one.got, one.fix) for one in told]
    # A genotype comes from anywhere, a run of someone else's among others: it names no code to be called.
    own = [one for one in found if is_own(one)] if isinstance(found, tuple) else []
    expected = "names alone: a function of yours stands in the experiment"
    return [(name, expected, one, "") for one in own]


def choice_problems(section: Mapping[str, Any], most: int) -> Iterator[_Found]:
    """All that is wrong with the section `training` of a space, which lists at most so many values of each gene."""
    for name, values in section.items():
        key = f"training.{name}"
        if name not in GENES:
            expected = f"a setting of the training: {', '.join(GENES)}"
            yield key, expected, repr(name), nearest(str(name), GENES)
        elif not isinstance(values, list) or not 1 <= len(values) <= most:
            got = f"{len(values)} values" if isinstance(values, list) else shown(values)
            yield key, f"a list of 1 to {most} values, each {key_of(name).type}", got, ""
        else:
            yield from _listed_problems(key, name, values)


def gene_problems(genes: Genes) -> list[str]:
    """Every reason why a student cannot be trained with these genes, one line each; empty if it can."""
    problems = []
    for name, value in genes:
        if name not in GENES:
            problems.append(f"training has no setting {shown(name)}, it has {', '.join(GENES)}")
        else:
            problems += _problems_of_a_gene(name, value)
    given = [name for name, _ in genes]
    return problems + [f"training.{name} is given twice" for name in dict.fromkeys(given) if given.count(name) > 1]


def foreign_genes(genes: Genes, choices: Choices) -> Iterator[str]:
    """Every gene that no space of these choices gives, one line each; a gene that is lacking is one."""
    given = dict(genes)
    for name, values in choices.items():
        if name not in given or given[name] not in values:
            got = in_words(given[name]) if name in given else "nothing"
            yield f"training.{name} must be one of {', '.join(map(in_words, values))}, got {got}"
    for name, value in given.items():
        if name not in choices:
            yield f"training.{name} must be left to the experiment, got {in_words(value)}"


def fitted_genes(genes: Genes, choices: Choices) -> Genes:
    """Genes that a space of these choices may have: those of them that it lists, else its first value of each."""
    given = set(genes)
    return tuple(
        next(((name, value) for value in values if (name, value) in given), (name, values[0]))
        for name, values in choices.items()
    )


def _listed_problems(key: str, name: str, values: list[Any]) -> Iterator[_Found]:
    found = [
        (f"{key}.{place}{where.removeprefix(name)}", expected, got, fix)
        for place, value in enumerate(values)
        for where, expected, got, fix in value_problems(name, value)
    ]
    yield from found
    # Members of a list are drawn by chance, so their order makes no other training.
    alike = [sorted(value) if isinstance(value, list) else value for value in values] if not found else []
    for place, value in enumerate(alike):
        if value in alike[:place]:
            yield f"{key}.{place}", "each value once", f"{shown(values[place])} twice", ""


@lru_cache(maxsize=4096, typed=True)  # a space asks for each of its few values with every genotype
def _problems_of_a_gene(name: str, value: GeneValue) -> tuple[str, ...]:
    found = value_problems(name, value)
    return tuple(f"training.{key} must be {expected}, got {got}" for key, expected, got, _ in found)


def _model(name: str) -> tuple[type[BaseModel], str]:
    """The section of the config that has a key of `distillation`, and its name there."""
    model: type[BaseModel] = DistillationConfig
    *sections, key = name.split(".")
    for section in sections:
        model = cast(type[BaseModel], model.model_fields[section].annotation)
    return model, key


@cache  # it is asked for with each gene
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _section(config: BaseModel, name: str) -> tuple[BaseModel, str]:
    *sections, key = name.split(".")
    for section in sections:
        config = getattr(config, section)
    return config, key


def _replaced(section: BaseModel, name: str, value: object) -> BaseModel:
    head, _, rest = name.partition(".")
    return section.model_copy(update={head: _replaced(getattr(section, head), rest, value) if rest else value})
