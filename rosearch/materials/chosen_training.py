"""A search space that chooses settings of distillation (`space.genes`), held against the experiment that searches it.

>>> list(training_problems(experiment, load_space("robust_training"), "experiment.yaml"))
[]

All is looked at for every choice before anything is trained: a word list that one candidate in ten needs would
otherwise be missed in the middle of a search.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from rosearch.config.distillation import DistillationConfig
from rosearch.config.experiment import Experiment
from rosearch.config.section import problems_of
from rosearch.errors import BadInput, Problem
from rosearch.space.genes import all_in_words, covering, gene_problems, in_words, put_all_over, put_over, unread
from rosearch.space.genotype import Genotype
from rosearch.space.space import Space


def training_problems(experiment: Experiment, space: Space, where: str) -> Iterator[Problem]:
    """Choices of a space for the training that the experiment cannot take. `where` names the experiment's file.

    A key that its method never reads would make candidates of one training many, each with an id of its own. A value
    must keep the rules of the experiment, as if it stood there.
    """
    config = experiment.distillation
    if config.target == "encoder":
        if space.training:
            expected = "a space without a section training: an encoder learns from the corpus, by no method"
            yield Problem(where, "search_space", expected, f"{space.name} with {', '.join(space.training)}")
        return
    if names := unread(config, space.training):
        methods = ", ".join(dict.fromkeys(name.partition(".")[0] for name in names))
        expected = f"{methods}, which reads what {space.name} chooses ({', '.join(names)})"
        fix = "Or search a space without a section training, such as robust_input"
        yield Problem(where, "distillation.method", expected, config.method, fix)
        return
    for name, value, changed in put_all_over(config, space.training):
        for broken in _broken(experiment, changed):
            expected = f"a space whose choices keep to {broken.key}: {broken.expected}"
            yield Problem(where, "search_space", expected, f"{name} {in_words(value)} in {space.name}")


def with_every_choice(experiment: Experiment, space: Space) -> Experiment:
    """The experiment that needs all that any of its candidates needs: its lists hold every choice of the space."""
    return experiment.model_copy(update={"distillation": covering(experiment.distillation, space.training)})


def choices_in_words(experiment: Experiment, space: Space) -> str:
    """The settings that a search chooses, and whose values of the experiment they replace; "" where there are none."""
    if not space.training:
        return ""
    told = ", ".join(f"{name} ({len(values)} values)" for name, values in space.training.items())
    stated = [name for name in space.training if _is_stated(experiment.distillation, name)]
    which = "values of them" if len(stated) == len(space.training) else f"values of {', '.join(stated)}"
    over = f"; the experiment's {which} hold for baselines alone" if stated else ""
    return f"{told}, chosen for each candidate{over}"


def own_training(experiment: Experiment, genotype: Genotype, whose: str) -> tuple[Experiment, Genotype, str]:
    """The experiment and the genotype of one student that was chosen with its training, and a line that says so.

    Under a method that reads none of it the architecture alone is left, and the line says that. It is "" without a
    choice. Raises `BadInput` for values that cannot be, by themselves or in this experiment.
    """
    config, genes = experiment.distillation, genotype.training
    if not genes:
        return experiment, genotype, ""
    if wrong := gene_problems(genes):
        raise BadInput([Problem("student", whose, "settings of a training", problem) for problem in wrong])
    if idle := unread(config, [name for name, _ in genes]):
        told = f"{config.method} reads none of the settings that {whose} was searched with ({', '.join(idle)})"
        return experiment, genotype.architecture, told
    changed = put_over(config, genes)
    if broken := _broken(experiment, changed):
        chosen = all_in_words(genes)
        rules = [(f"{one.key}: {one.expected}", f"{one.got} ({chosen})") for one in broken]
        raise BadInput([Problem("student", whose, *rule) for rule in rules])
    told = f"settings of {whose} in the place of the experiment's: {all_in_words(genes)}"
    return experiment.model_copy(update={"distillation": changed}), genotype, told


def _broken(experiment: Experiment, changed: DistillationConfig) -> list[Problem]:
    """The rules between keys that an experiment breaks with another distillation."""
    data = {**experiment.model_dump(), "distillation": changed.model_dump()}
    try:
        Experiment.model_validate(data)
    except ValidationError as error:
        return problems_of(error, "", Experiment)
    return []


def _is_stated(config: DistillationConfig, name: str) -> bool:
    """True where the file of an experiment gives the key."""
    section: object = config
    for part in name.split("."):
        if part not in getattr(section, "model_fields_set", ()):
            return False
        section = getattr(section, part)
    return True
