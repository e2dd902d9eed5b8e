"""Every key of an experiment: the models mirror `experiments/*.yaml` key by key.

The larger sections have modules of their own: task, teacher, distillation, corpus, evaluation.
`config.file.load_experiment` reads an experiment and reports all its problems at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rosearch.config.corpus import CorpusConfig
from rosearch.config.distillation import DistillationConfig
from rosearch.config.evaluation import EvaluationConfig
from rosearch.config.section import Device, Moved, Section, Share, broken_rule, moved, unit
from rosearch.config.task import TaskConfig
from rosearch.config.teacher import TeacherConfig
from rosearch.errors import BadInput, Problem


class WeightsConfig(Section):
    """Weights of the scalar fitness; they are divided by their sum."""

    robustness: float = Field(0.5, ge=0, description="Weight of what fitness.robustness measures.")
    accuracy: float = Field(0.3, ge=0, description="Weight of the task's metric on clean rows.")
    efficiency: float = Field(0.2, ge=0, description="Weight of what fitness.efficiency measures.")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.robustness + self.accuracy + self.efficiency == 0:
            raise broken_rule("", "at least one weight above 0", "all 0")
        return self


class RewardConfig(Section):
    """KD-NAS's reward (arXiv 2303.09639): (1 - loss) (latency / (beta x the teacher's))^alpha, in place of weights."""

    alpha: float = Field(-0.06, le=0, description="How much latency counts; 0: not at all.")
    beta: float = Field(
        0.6,
        gt=0,
        description="Part of the teacher's latency at which the loss alone counts.",
        json_schema_extra=unit("share"),
    )


class FitnessConfig(Section):
    """From measurements to fitness. A candidate behind a gate never wins, whatever its other values."""

    reward: RewardConfig | None = None
    weights: WeightsConfig = WeightsConfig()
    robustness: Literal["accuracy_under_attack", "words_to_break", "single_swap_worst", "single_swap_margin"] = Field(
        "words_to_break", description="What robustness is, in the worst of the attacks."
    )
    efficiency: Literal["parameters", "flops", "latency"] = Field(
        "parameters", description="What makes a student cheap. Parameters and FLOPs are counted, latency is measured."
    )
    full_compression: float = Field(
        20.0,
        gt=1,
        description="This much cheaper than the teacher counts as efficiency 1.",
        json_schema_extra=unit("times"),
    )
    min_quality: float = Field(
        0.8,
        ge=0,
        description="Gate: least part of the teacher's quality on the same rows.",
        json_schema_extra=unit("share"),
    )
    max_class_share: float = Field(
        0.9,
        gt=0,
        le=1,
        description="Gate: no class may take a larger part of the predictions.",
        json_schema_extra=unit("share"),
    )
    min_purity: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Gate: least purity of the encoding that a student reads.",
        json_schema_extra=unit("share"),
    )
    min_invariance: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Gate: least part of exchanged names, of religions and of nationalities that keeps the answer.",
        json_schema_extra=unit("share"),
    )
    min_contrast: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Gate: least part of the teacher's contrasts that a student sees; 0: off.",
        json_schema_extra=unit("share"),
    )

    @property
    def wants_latency(self) -> str:
        """The setting that needs measured latency, in words; empty if none does."""
        return "reward" if self.reward is not None else "efficiency latency" if self.efficiency == "latency" else ""


class KdNasConfig(Section):
    """The controller of kd_nas (arXiv 2303.09639). An episode is a generation of `population` candidates.

    The paper has 15 episodes of 20 candidates.
    """

    predictor: Literal["lstm", "boosting", "gaussian_process"] = Field(
        "lstm", description="Predictor of rewards; lstm is the paper's."
    )
    exploration: Share = Field(
        1.0,
        description="Part of the first episode that is drawn at random; the others are predicted to be the best.",
        json_schema_extra=unit("share"),
    )
    exploration_step: Share = Field(
        0.05, description="Decrease of that part from episode to episode.", json_schema_extra=unit("share")
    )
    exploration_least: Share = Field(
        0.05, description="The part falls no lower than this.", json_schema_extra=unit("share")
    )
    passes: int = Field(
        100,
        ge=1,
        description="lstm: training passes over all rewards so far, after each episode.",
        json_schema_extra=unit("passes"),
    )

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if self.exploration_least > self.exploration:
            raise broken_rule("exploration_least", f"at most exploration ({self.exploration})", self.exploration_least)
        return self


class EvolutionConfig(Section):
    """The search itself: who is tried next, and how many in all."""

    strategy: Literal["rosearch", "nsga2", "random", "kd_nas"] = Field(
        "rosearch",
        description="Who is tried next. random is the baseline at the same budget; kd_nas searches encoders.",
    )
    candidates: int = Field(
        24,
        ge=1,
        description="The whole budget of distilled students, first generation included.",
        json_schema_extra=unit("candidates"),
    )
    population: int = Field(
        8,
        ge=2,
        description="Size of a generation; a multiple of 4 for nsga2, an episode for kd_nas.",
        json_schema_extra=unit("candidates"),
    )
    elite: int = Field(
        2, ge=1, description="rosearch: the best, which pass on unchanged.", json_schema_extra=unit("candidates")
    )
    tournament: int = Field(
        3, ge=1, description="The best of so many drawn ones is a parent.", json_schema_extra=unit("candidates")
    )
    crossover_probability: float = Field(
        0.4, ge=0, le=1, description="Chance that a child has two parents.", json_schema_extra=unit("share")
    )
    mutations: int = Field(2, ge=1, description="Most mutations of a child.", json_schema_extra=unit("mutations"))
    warm_start: list[str] = Field(
        [], description="Published architectures in the first generation, fitted to the space."
    )
    kd_nas: KdNasConfig = KdNasConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.strategy == "nsga2" and self.population % 4:
            raise broken_rule("population", "a multiple of 4 for nsga2", self.population)
        if self.elite >= self.population:
            raise broken_rule("elite", f"fewer than population ({self.population})", self.elite)
        return self


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


class ExecutionConfig(Section):
    """Where candidates run. One device setting covers teacher, training, attack and timing."""

    device: Device = Field("auto", description="auto (the GPU where there is one), cpu, cuda, cuda:1, ...")
    workers: int = Field(
        1,
        ge=0,
        description="Candidates at a time; 0: in the driver's own process.",
        json_schema_extra=unit("processes"),
    )
    threads: int = Field(1, ge=1, description="Torch threads of each worker.", json_schema_extra=unit("threads"))
    timeout_minutes: float = Field(
        60.0, gt=0, description="A candidate that takes longer has failed.", json_schema_extra=unit("minutes")
    )
    stop_after_failures: int = Field(
        5, ge=1, description="So many equal failures in a row stop the run.", json_schema_extra=unit("failures")
    )
    keep_students: Literal["front", "all"] = Field(
        "front",
        description="Students whose weights stay on disk. front: also the best, the baselines and the finalists.",
    )


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
    distillation: DistillationConfig = DistillationConfig()
    corpus: CorpusConfig | None = None
    evaluation: EvaluationConfig = EvaluationConfig()
    fitness: FitnessConfig = FitnessConfig()
    evolution: EvolutionConfig = EvolutionConfig()
    baselines: list[str] = Field([], description="Published architectures, distilled and measured like candidates.")
    finalists: FinalistsConfig = FinalistsConfig()
    execution: ExecutionConfig = ExecutionConfig()

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

    @model_validator(mode="after")
    def _taught(self) -> Self:
        if self.distillation.target == "encoder" and self.corpus is None:
            raise broken_rule("corpus", "a corpus, for distillation.target encoder", "none")
        if self.distillation.target == "task" and self.task is None:
            raise broken_rule("task", "a task, or distillation.target encoder with a corpus", "none")
        if self.distillation.target == "encoder" and self.task is not None:
            raise broken_rule("task", "none, for distillation.target encoder", self.task.name)
        return self

    @model_validator(mode="after")
    def _measured(self) -> Self:
        weights, timed = self.fitness.weights, self.evaluation.efficiency
        if (wants := self.fitness.wants_latency) and not (timed.repeats and timed.batch_sizes):
            key = "evaluation.efficiency.repeats"
            raise broken_rule(key, f"above 0, with a batch size, for fitness.{wants}", timed.repeats)
        if not self.attacked and weights.accuracy + weights.efficiency == 0:
            expected = "accuracy or efficiency above 0: neither regression nor an encoder is attacked"
            raise broken_rule("fitness.weights", expected, "both 0")
        if self.fitness.robustness.startswith("single_swap") and not self.evaluation.robustness.search.single_swaps:
            key = "evaluation.robustness.search.single_swaps"
            raise broken_rule(key, f"at least one attack, for fitness.robustness {self.fitness.robustness}", "none")
        return self
