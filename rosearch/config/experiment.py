"""Every key of an experiment: the models mirror `experiments/*.yaml` key by key.

The larger sections have modules of their own: task, teacher, distillation, corpus, evaluation, fitness, evolution,
execution. `config.file.load_experiment` reads an experiment and reports all its problems at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_core import PydanticCustomError

from rosearch.config.choices import NEED_A_TEACHER
from rosearch.config.corpus import CorpusConfig
from rosearch.config.distillation import DistillationConfig
from rosearch.config.evaluation import EvaluationConfig
from rosearch.config.evolution import EvolutionConfig
from rosearch.config.execution import ExecutionConfig
from rosearch.config.fitness import FitnessConfig
from rosearch.config.section import Moved, Section, broken_rule, moved, unit
from rosearch.config.task import TaskConfig
from rosearch.config.teacher import TeacherConfig
from rosearch.errors import BadInput, Problem


def names_a_model(baseline: str) -> bool:
    """True for the name of a model among the baselines: the hub's with its owner, a path, or package:NAME."""
    return ":" in baseline or "/" in baseline or baseline.startswith((".", "~"))


class FinalistsConfig(Section):
    """The best by fitness: trained again with fresh seeds, measured on the test split with other attack rows."""

    count: int = Field(
        1,
        ge=0,
        description="How many of the best; baselines come besides; 0: neither.",
        json_schema_extra=unit("candidates"),
    )
    replicates: int = Field(
        1, ge=1, description="Trainings of each, with seeds of their own.", json_schema_extra=unit("trainings")
    )
    epochs: float | None = Field(
        None,
        gt=0,
        description="Passes over the training rows; none: as the candidates.",
        json_schema_extra=unit("epochs"),
    )
    rows: Annotated[Moved, moved("evaluation.robustness.report.rows")] = Field(None, exclude=True, repr=False)


class Experiment(Section):
    """One experiment file."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+$", description="Names the run's folder. Letters, digits, dots, hyphens, underscores."
    )
    seed: int = Field(1, ge=0, description="Decides all that is random: equal seeds give equal records.")
    search_space: Path = Field(
        description="A name that `rosearch spaces` lists, or a file, relative to that of the experiment."
    )
    task: TaskConfig | None = None
    teacher: TeacherConfig
    distillation: DistillationConfig = DistillationConfig.model_construct()
    corpus: CorpusConfig | None = None
    evaluation: EvaluationConfig = EvaluationConfig.model_construct()
    fitness: FitnessConfig = FitnessConfig.model_construct()
    evolution: EvolutionConfig = EvolutionConfig.model_construct()
    baselines: list[str] = Field(
        [],
        description="Published architectures, distilled and measured like candidates (static is the floor of cost); "
        "and smaller pretrained models (a hub name with its owner, ./FOLDER or package:NAME), fine-tuned as a teacher "
        "is, and measured beside it.",
    )
    finalists: FinalistsConfig = FinalistsConfig.model_construct()
    execution: ExecutionConfig = ExecutionConfig.model_construct()

    @property
    def architectures(self) -> tuple[str, ...]:
        """The baselines that are architectures, each once."""
        return tuple(name for name in dict.fromkeys(self.baselines) if not names_a_model(name))

    @property
    def pretrained(self) -> tuple[str, ...]:
        """The baselines that are pretrained models, each once."""
        return tuple(name for name in dict.fromkeys(self.baselines) if names_a_model(name))

    @property
    def attacked(self) -> bool:
        """True if students have classes that an attack may flip."""
        return self.task is not None and self.task.problem == "classification"

    def require_task(self) -> TaskConfig:
        """The task. Raises `BadInput` if the experiment has none."""
        if self.task is None:
            fix = "its experiment distils encoders, which have no task"
            raise BadInput(Problem("experiment", "task", "a task", "none", fix))
        return self.task

    def _rules(self) -> Iterator[PydanticCustomError]:
        target = "distillation.target"
        if self.distillation.target == "encoder" and self.corpus is None:
            yield broken_rule("corpus", "a corpus, for distillation.target encoder", "none", target)
        if self.distillation.target == "task" and self.task is None:
            yield broken_rule("task", "a task, or distillation.target encoder with a corpus", "none", target)
        if self.distillation.target == "encoder" and self.task is not None:
            yield broken_rule("task", "none, for distillation.target encoder", self.task.name, target)
        yield from () if self.attacked else self._rules_without_classes()
        yield from () if self.teacher.outputs is None else self._rules_of_soft_labels()
        yield from self._rules_of_fitness()

    def _rules_without_classes(self) -> Iterator[PydanticCustomError]:
        kind = ("distillation.target", "task.problem")
        if (given := self.distillation.class_weights) != "none":
            expected = "none: neither regression nor an encoder has classes"
            yield broken_rule("distillation.class_weights", expected, given, *kind)
        if smoothing := self.distillation.label_smoothing:
            expected = "0: neither regression nor an encoder has classes"
            yield broken_rule("distillation.label_smoothing", expected, smoothing, *kind)
        if self.fitness.weights.accuracy + self.fitness.weights.efficiency == 0:
            expected = "accuracy or efficiency above 0: neither regression nor an encoder is attacked"
            yield broken_rule("fitness.weights", expected, "both 0", *kind)
        if self.fitness.min_under_attack:
            expected = "0: neither regression nor an encoder is attacked"
            yield broken_rule("fitness.min_under_attack", expected, self.fitness.min_under_attack, *kind)

    def _rules_of_soft_labels(self) -> Iterator[PydanticCustomError]:
        """Nobody can ask a file about other texts, how long it takes, or what it thought."""
        beside, method = "teacher.outputs", self.distillation.method
        if self.distillation.target == "encoder":
            yield broken_rule(
                "distillation.target", f"task beside {beside}, which has no hidden states", "encoder", beside
            )
        elif method in NEED_A_TEACHER:
            expected = f"a method that reads outputs alone (kd, ad2, robust_kd) beside {beside}"
            yield broken_rule("distillation.method", expected, method, beside)
        elif method == "robust_kd" and "other_words" in self.distillation.robust_kd.sources:
            expected = f"sources that ask no teacher beside {beside} (all but other_words)"
            yield broken_rule("distillation.robust_kd.sources", expected, "other_words", beside)
        if wants := self.fitness.wants_latency:
            key = "efficiency" if wants.startswith("efficiency") else wants
            expected = (
                f"nothing beside {beside} that is compared with a teacher's latency; parameters or flops are counted"
            )
            yield broken_rule(f"fitness.{key}", expected, wants, beside)
        if self.fitness.min_contrast:
            expected = f"0 beside {beside}: contrasts are those that a teacher answers differently"
            yield broken_rule("fitness.min_contrast", expected, self.fitness.min_contrast, beside)

    def _rules_of_fitness(self) -> Iterator[PydanticCustomError]:
        timed = self.evaluation.efficiency
        if (wants := self.fitness.wants_latency) and not (timed.repeats and timed.batch_sizes):
            key = "evaluation.efficiency.repeats"
            expected = f"above 0, with a batch size, for fitness.{wants}"
            yield broken_rule(key, expected, timed.repeats, "evaluation.efficiency.batch_sizes", "fitness")
        if wants and self.evolution.mode == "steady":
            expected = f"generational for fitness.{wants}: latency is timed while no candidate is at work"
            yield broken_rule("evolution.mode", expected, "steady", "fitness")
        if self.fitness.robustness.startswith("single_swap") and not self.evaluation.robustness.search.single_swaps:
            key = "evaluation.robustness.search.single_swaps"
            expected = f"at least one attack, for fitness.robustness {self.fitness.robustness}"
            yield broken_rule(key, expected, "none", "fitness.robustness")
