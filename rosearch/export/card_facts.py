"""The facts of a model card, and its header: the YAML that the hub and other programs read.

>>> header = card_header(facts)
>>> yaml.safe_load(header)["model-index"][0]["results"][0]["metrics"][0]["args"]
{'low': 0.78, 'high': 0.88, 'confidence': 0.95, 'n': 200}

The results follow the hub's model-index: one for the task as it is, one for each attack. The hub has no place for
intervals, so they are the arguments of a metric.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from huggingface_hub import EvalResult, ModelCardData

from rosearch.export.markdown import Row, in_one_line
from rosearch.measurements import Estimate, Measurements, Quality, Robustness
from rosearch.space.genes import all_in_words
from rosearch.space.genotype import Genotype

_DIGITS = 6
# The metrics as the hub's `evaluate` calls them; others keep their names.
_HUB_NAMES = {"matthews": "matthews_correlation", "pearson": "pearsonr", "spearman": "spearmanr", "macro_f1": "f1"}


@dataclass(frozen=True)
class CardFacts:
    """The contents of a card. `measurements` are of `split`; `max_length` is in tokens, longer texts are cut."""

    name: str
    task: str  # an encoder has no task: its corpus, in words
    problem: Literal["classification", "regression", "encoder"]
    labels: tuple[str, ...]  # in the order of the logits; empty unless a classification
    texts: Literal[1, 2]  # 2: the task is about pairs
    max_length: int
    genotype: Genotype | None  # None: a model of transformers' own, see `architecture`
    measurements: Measurements
    teacher: str
    run: str
    date: str
    split: str = "validation"
    candidates: int = 0  # number of candidates it was chosen from by these measurements; 0: not chosen by them
    origin: str = ""  # its making, in words; "": found by evolution in `run`
    architecture: str = ""  # in words, if there is no genotype
    teacher_quality: Quality | None = None  # on the same rows
    notes: tuple[str, ...] = ()  # about data and teacher, as `TeacherFacts` has them
    rows: int | None = None  # of the training split, if known
    hours: float | None = None  # of workers, for all that it was chosen from; without a search, of its own making
    called: str = "teacher"  # or `SOFT_LABELS`: what it learnt from, whose size is then BERT-base's

    @property
    def pipeline(self) -> str:
        """The pipeline of transformers that it is made for."""
        return "feature-extraction" if self.problem == "encoder" else "text-classification"


def card_header(facts: CardFacts) -> str:
    """The YAML header of a card, without the lines of dashes around it."""
    searched = [] if facts.origin else ["neural-architecture-search"]
    task = in_one_line(facts.task)
    data = ModelCardData(
        model_name=in_one_line(facts.name),
        library_name="transformers",
        pipeline_tag=facts.pipeline,
        tags=["rosearch", "distillation", *searched, *([] if facts.problem == "encoder" else [task])],
        eval_results=[*_clean(facts, task), *_attacked(facts, task)],
        rosearch=_made(facts),
    )
    return f"{data.to_yaml(line_break=chr(10))}\n"


def making(facts: CardFacts) -> list[Row]:
    """Rows of a table: the data and the steps of its training, and what the search cost."""
    training = facts.measurements.training
    rows = "" if facts.rows is None else f"{facts.rows:,} training rows"
    told: list[Row] = [("data", ": ".join(filter(None, (in_one_line(facts.task), rows))))]
    told.append(
        ("training", f"{training.steps:,} steps, {training.rows_seen:,} rows (repeats counted), {training.precision}")
    )
    if facts.genotype is not None and facts.genotype.training:
        told.append(("training, as the search chose it", all_in_words(facts.genotype.training)))
    if facts.hours is not None:
        hours = f"{facts.hours:.1f} h" if facts.hours >= 1 else f"{60 * facts.hours:.1f} min"
        searched = f"{facts.candidates} candidates, " if facts.candidates else ""
        cost = ("time of the distillation", hours)
        told.append(cost if facts.origin else ("cost of the search", f"{searched}{hours} of workers' time"))
    return told


def _made(facts: CardFacts) -> dict[str, Any]:
    """The facts that the hub has no key for."""
    found = {
        "teacher": in_one_line(facts.teacher),
        "data": in_one_line(facts.task),
        "training_rows": facts.rows,
        "training_steps": facts.measurements.training.steps,
        "run": in_one_line(facts.run) or None,
        "candidates": facts.candidates or None,
        "worker_hours": None if facts.hours is None else _plain(facts.hours),
    }
    return {key: value for key, value in found.items() if value is not None}


def _clean(facts: CardFacts, task: str) -> Iterator[EvalResult]:
    """Quality on the rows as they are, and cost."""
    quality, cost = facts.measurements.quality, facts.measurements.efficiency
    first = quality.accuracy if quality.metric == "accuracy" else None
    yield _result(facts, task, quality.metric, first or quality.value)
    others = {
        "accuracy": None if first else quality.accuracy,
        "macro_f1": quality.macro_f1,
        "matthews": quality.matthews,
        "pearson": quality.pearson,
        "spearman": quality.spearman,
    }
    for name, value in others.items():
        if value is not None and name != quality.metric:
            yield _result(facts, task, name, value)
    for name, number in {"parameters": cost.parameters, "flops": cost.flops, "size_mb": cost.size_mb}.items():
        yield _result(facts, task, name, number, {"tokens": cost.tokens} if name == "flops" else None)
    where = {
        "tokens": cost.tokens,
        "device": cost.device,
        "runtime": cost.runtime,
        "threads": cost.threads,
        "machine": cost.machine,
    }
    for timed in cost.latency:
        quartiles = {"low_quartile": _plain(timed.low_ms), "high_quartile": _plain(timed.high_ms)}
        yield _result(
            facts, task, "latency_ms", timed.median_ms, {"batch_size": timed.batch_size, **where, **quartiles}
        )


def _attacked(facts: CardFacts, task: str) -> Iterator[EvalResult]:
    """Accuracy under each attack alone, and in the worst case of several."""
    worst, attacks = facts.measurements.robustness, facts.measurements.attacks
    if worst is None:
        return
    for attack in attacks or (worst,):
        yield from _under(facts, task, in_one_line(attack.attack), attack)
    if len(attacks) > 1:
        yield from _under(facts, task, f"the worst of {', '.join(in_one_line(one.attack) for one in attacks)}", worst)


def _under(facts: CardFacts, task: str, name: str, attack: Robustness) -> Iterator[EvalResult]:
    for metric, value in {"accuracy": attack.under_attack, "attack_success_rate": attack.success_rate}.items():
        found = _result(facts, f"{task} under {name}", metric, value)
        found.dataset_type, found.dataset_config = task, name
        yield found


def _result(
    facts: CardFacts, dataset: str, metric: str, value: Estimate | float, more: dict[str, Any] | None = None
) -> EvalResult:
    args = dict(more or {})
    if isinstance(value, Estimate):
        args |= {"low": _plain(value.low), "high": _plain(value.high), "confidence": 0.95, "n": value.n}
    return EvalResult(
        task_type=facts.pipeline,
        dataset_type=dataset,
        dataset_name=dataset,
        dataset_split=facts.split,
        metric_type=_HUB_NAMES.get(metric, metric),
        metric_name=metric.replace("_", " "),
        metric_value=_plain(value.value if isinstance(value, Estimate) else value),
        metric_args={key: one for key, one in args.items() if one != ""} or None,
    )


def _plain(number: float) -> float | int:
    """A number that YAML writes as one: numpy's scalars cannot be read back."""
    return number if type(number) is int else round(float(number), _DIGITS)
