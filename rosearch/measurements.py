"""The measurements of a student: frozen values that cross stages and are stored as JSON.

Its lines are many because all that a record can hold stands on one page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

# BERT-base, the literature's reference: all its weights, and those of its 12 layers alone (arXiv 1810.04805).
BERT_BASE_PARAMETERS = 109_482_240
BERT_BASE_ENCODER_PARAMETERS = 85_054_464
SOFT_LABELS = "soft labels"  # what students learn from where a file stands in the place of a teacher


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval and the number of rows behind it (Wilson for shares, Student's t for means)."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class ClassQuality:
    """Quality on one class; `label` is the position of the class among the task's labels, `n` counts its rows."""

    label: int
    n: int
    recall: Estimate  # share of its rows that are predicted as it
    precision: float  # share of the rows predicted as it that are its own; 0 where none is
    f1: float


@dataclass(frozen=True)
class Calibration:
    """How far probabilities can be believed: expected calibration errors (arXiv 1706.04599), 0..1."""

    error: float
    temperature: float  # fitted on validation rows; above 1: too sure
    scaled_error: float | None = None  # of logits / temperature; None on the rows that it was fitted on

    def __str__(self) -> str:
        """E.g. `4.1%; where logits are divided by 1.32 (fitted on validation rows): 2.0%`."""
        if self.scaled_error is None:
            return f"{self.error:.1%}"
        fitted = f"where logits are divided by {self.temperature:.2f} (fitted on validation rows)"
        return f"{self.error:.1%}; {fitted}: {self.scaled_error:.1%}"


@dataclass(frozen=True)
class Quality:
    """Quality on clean text. `value` is in the task's own metric; metrics that do not apply to the task are None."""

    metric: str
    value: float
    n: int
    accuracy: Estimate | None = None
    macro_f1: float | None = None
    matthews: float | None = None
    pearson: float | None = None
    spearman: float | None = None
    largest_class_share: float | None = None  # share of the predictions; 1.0 is a constant predictor
    collapse: str = ""  # in words: a constant predictor, or classes that it never predicts; empty: neither
    per_class: tuple[ClassQuality, ...] = ()  # of the classes that have rows; records of older versions have none
    calibration: Calibration | None = None  # of classifiers; likewise


@dataclass(frozen=True)
class ClassRobustness:
    """Robustness on the rows of one class; `label` is the position of the true label among the task's labels."""

    label: int
    n: int
    clean: Estimate
    under_attack: Estimate


@dataclass(frozen=True)
class Stopped:
    """Why an attack ended before its last row: the model's accuracy under attack was shown to be below `below`.

    The chance to stop a model that is not below it is at most `error_rate`.
    """

    rows: int  # rows attacked until then
    planned: int
    below: float  # accuracy under attack
    error_rate: float

    def __str__(self) -> str:
        """E.g. `stopped after 50 of 200 rows: below 20 %, error rate 5 %`."""
        surely = f"below {self.below * 100:g} %, error rate {self.error_rate * 100:g} %"
        return f"stopped after {self.rows} of {self.planned} rows: {surely}"


SURVIVED = "sq"  # outcomes of rows that are right in the end


@dataclass(frozen=True)
class Robustness:
    """Robustness under one attack, or in the worst case of several.

    Misclassified rows are not attacked and count as broken. `outcomes` and `shares` have one entry per row. The order
    of the rows is the same for all models that were attacked with one `plan`, so comparisons pair them. The letters of
    `outcomes` are m(isclassified), b(roken), s(urvived), e(rror), q (out of queries), t (out of time).
    """

    attack: str
    seed: int
    n: int
    clean: Estimate  # share of rows right before the attack
    under_attack: Estimate  # share of all rows right after it; rows out of queries count as right
    success_rate: Estimate  # share of attacked rows that were broken
    queries: Estimate  # mean per attacked row, as TextAttack counts
    perturbed_words: Estimate  # mean share of words changed in broken rows
    words_to_break: Estimate  # mean share of words to change: 0 for a misclassified row, 1 for one that survived
    errors: int  # rows whose attack raised; counted as broken
    seconds: float
    differs: str = ""  # differences from the stock recipe, in words; empty: none
    plan: str = ""  # key of the frozen rows and candidates
    distinct_queries: Estimate | None = None  # as `queries`, without repeats
    similarity: Estimate | None = None  # mean over broken rows, text to original, by the resources' sentence encoder
    per_class: tuple[ClassRobustness, ...] = ()
    out_of_queries: int = 0  # rows that survived until their query budget was spent
    out_of_time: int = 0  # rows whose time was up; counted as broken
    outcomes: str = ""
    shares: tuple[float, ...] = ()  # share of words to break each row, 4 decimals
    stopped: Stopped | None = None
    reads: tuple[str, ...] = ()  # where its candidates come from: origins of word lists, a masked LM, edits of letters
    weaker_than: str = ""  # of an attack that adapts: a plain one that broke more rows, which makes its figure void

    @property
    def survived(self) -> list[bool]:
        """For each row True if the model was right in the end; out of queries counts as right."""
        return [outcome in SURVIVED for outcome in self.outcomes]

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes to print beside the figures: an early stop, and rows that were not attacked to their end."""
        counted = (
            (self.errors, "rows whose attack raised, counted as broken"),
            (self.out_of_time, "rows out of time, counted as broken"),
            (self.out_of_queries, "rows out of queries, counted as survived"),
        )
        stopped = () if self.stopped is None else (str(self.stopped),)
        weak = f"broken: {self.weaker_than}, which does not adapt, breaks more rows; the figure is void"
        counts = (f"{what}: {count}" for count, what in counted if count)
        return (*stopped, *((weak,) if self.weaker_than else ()), *counts)


LARGEST_MARGIN = 4.0  # logits; a larger margin would say more about a model's confidence than about its robustness


@dataclass(frozen=True)
class SingleSwaps:
    """Scores of every single swap of a recipe: how near a model is to breaking. All models get the same texts."""

    attack: str
    n: int
    texts: int  # scored originals and swaps
    worst: Estimate  # share of rows right on the original and on every swap
    margin: Estimate  # mean over rows of the smallest margin logit(true) - largest other logit, clipped to -4..4
    seconds: float


@dataclass(frozen=True)
class Meaning:
    """How much of a text a model tells apart. Robustness that comes from not telling words apart is none.

    `invariance` is by kind (name, religion, nationality): the share of exchanges in templates that keep the answer.
    `contrast` is the share of small changes that turn the teacher's answer and the model's too; None where no change
    turned the teacher's. `purity` is that of the encoding which the model reads: the share of words for which the
    teacher's answer stays when one is read as its code; None without codes, or where no teacher tried them.
    """

    invariance: dict[str, Estimate]
    contrast: Estimate | None = None
    purity: float | None = None

    @property
    def figures(self) -> dict[str, Estimate | float]:
        """Everything that was measured, by its name in words."""
        found: dict[str, Estimate | float] = {f"kept with another {kind}": of for kind, of in self.invariance.items()}
        found |= {} if self.contrast is None else {"contrasts seen": self.contrast}
        return found | ({} if self.purity is None else {"purity of the encoding": self.purity})


@dataclass(frozen=True)
class Latency:
    """Milliseconds per batch: median and quartiles over the repeats."""

    batch_size: int
    median_ms: float
    low_ms: float
    high_ms: float


@dataclass(frozen=True)
class AttackedTwice:
    """The accuracy under one attack of a format that changes answers, beside that of the float32 file."""

    attack: str
    under_attack: Estimate
    exact: Estimate


@dataclass(frozen=True)
class FormatFigures:
    """A format that changes answers beside the float32 file, on the same rows, each text asked alone."""

    rows: str  # in words
    machine: str  # in words
    same: Estimate  # share of the rows predicted as by the float32 file
    attacks: tuple[AttackedTwice, ...]
    ms: float  # median of a text without its tokeniser, in turn with the other file
    exact_ms: float  # of the float32 file
    accuracy: Estimate  # before any attack
    exact_accuracy: Estimate


@dataclass(frozen=True)
class Efficiency:
    """Costs of a student. Compression is the teacher's count divided by the student's."""

    parameters: int
    encoder_parameters: int  # without embeddings
    compression: float
    encoder_compression: float
    flops: int  # of a forward pass over one sentence of `tokens` tokens; a multiply-add counts as two
    flops_compression: float
    tokens: int
    size_mb: float  # weights on disk
    latency: tuple[Latency, ...] = ()
    device: str = "cpu"
    threads: int = 1
    machine: str = ""  # that latency was timed on, in words; "" where none was, and in records of older versions
    runtime: Literal["eager", "onnx"] = "eager"  # that latency was timed in: torch, or ONNX Runtime

    @property
    def timed_on(self) -> str:
        """The device that latency was timed on; where it was no torch, with the runtime."""
        return self.device if self.runtime == "eager" else f"{self.device}, ONNX Runtime"


@dataclass(frozen=True)
class Averaging:
    """The snapshots of a training, and those whose mean is the student (`robust_kd.snapshots`).

    Accuracies are shares of the same `rows` validation rows that stay right under all `attacks`.
    """

    attacks: tuple[str, ...]
    rows: int  # asked for; a smaller split is attacked whole
    steps: tuple[int, ...]  # after which each snapshot was taken; the last are the weights that the training ended with
    under_attack: tuple[float, ...]  # of each snapshot alone
    chosen: tuple[int, ...]  # steps of those in the mean, in the order in which they came into it
    mean_under_attack: float


@dataclass(frozen=True)
class Training:
    """The course of a training."""

    steps: int
    rows_seen: int
    final_loss: float  # mean over the last tenth of the steps
    precision: str
    averaging: Averaging | None = None  # None where no snapshots were averaged


@dataclass(frozen=True)
class Lineage:
    """Where a student's weights began, and those that it ended with (`distillation.inherit`).

    `origin` is `parent`, `teacher`, or empty for a fresh start. `nodes` has for each node of the canonical genotype the
    position of the parent's node, or the number of the teacher's layer, whose weights it began with; 0 for a new one.
    """

    weights: str  # digest of the trained weights
    inherited_steps: int  # of its own training and of those that led to its first weights
    origin: str = ""
    parent: str = ""  # the parent's id
    parent_weights: str = ""  # digest of the weights that it began with
    depth: int = 0  # ancestors; 0 for a fresh start
    share: float = 0.0  # of its parameters that were taken over
    nodes: tuple[int, ...] = ()
    parts: tuple[str, ...] = ()  # what else was taken over: embeddings, norm, classifier


@dataclass(frozen=True)
class Rung:
    """A student after a part of its training, when it was decided whether it goes on.

    `robustness`, `accuracy`, `efficiency` and `scalar` are those of its fitness there. `gates` are those that it
    surely misses, however long it is trained.
    """

    share: float  # of the steps of its whole training
    steps: int
    robustness: float | None
    accuracy: float
    efficiency: float
    scalar: float
    queries: int  # of its attacks there, over all rows
    gates: tuple[str, ...] = ()
    promoted: bool = False


@dataclass(frozen=True)
class Measurements:
    """All measurements of one candidate.

    `robustness` is the worst case, row by row, over the attacks in `attacks`. It is None for tasks that no attack fits
    (regression). Records of older versions have no `attacks`. `rungs` are those that it came to; where the last did not
    promote it, all other figures are those of that rung.
    """

    quality: Quality
    efficiency: Efficiency
    training: Training
    robustness: Robustness | None = None
    attacks: tuple[Robustness, ...] = ()
    single_swaps: tuple[SingleSwaps, ...] = ()
    held_out_loss: float | None = None  # distillation loss on unseen rows; only for encoders and for a reward
    meaning: Meaning | None = None  # of classifiers; records of older versions have none
    lineage: Lineage | None = None  # None where every candidate starts fresh
    rungs: tuple[Rung, ...] = ()  # of a search with `evolution.rungs`

    @property
    def stopped_at(self) -> int:
        """The number, from 1, of the rung at which its training ended; 0 where it was trained to its end."""
        return 0 if not self.rungs or self.rungs[-1].promoted else len(self.rungs)


@dataclass(frozen=True)
class TeacherCost:
    """The yardstick of compression. `encoder_parameters` excludes the embedding tables; FLOPs as in `Efficiency`."""

    parameters: int
    encoder_parameters: int
    flops: int


@dataclass(frozen=True)
class TeacherFacts:
    """The yardstick of a run, measured once: the teacher's quality on the validation rows, its cost, its shape."""

    quality: Quality
    cost: TeacherCost
    positions: int  # tokens of the longest text
    token_types: int
    latency_ms: float | None = None  # median at the first timed batch size
    robustness: Robustness | None = None  # under the candidates' own suite
    attacks: tuple[Robustness, ...] = ()
    single_swaps: tuple[SingleSwaps, ...] = ()
    meaning: Meaning | None = None  # of classifiers; runs of older versions have none
    notes: tuple[str, ...] = ()  # in words: rows that were left out, doubts about the order of its classes
    folder: str = ""  # below the cache of the runs, of a teacher that was fine-tuned; "": it is used as it is
    called: str = "teacher"  # in tables; `SOFT_LABELS` of a file, whose cost is BERT-base's; the name of a neighbour
    neighbours: tuple[TeacherFacts, ...] = ()  # pretrained models among the baselines, measured in the same way

    @property
    def whose_cost(self) -> str:
        """The model that sizes are compared with, in words."""
        return "BERT-base" if self.called == SOFT_LABELS else "the teacher"


_ADAPTER: TypeAdapter[Measurements] = TypeAdapter(Measurements)
# Parts of numbers that may be no finite float, where every digit is 0, E is e, I (of Infinity) is N, and + is left out.
# To look at each float would take ten times as long.
_FOLDED = bytes.maketrans(b"123456789EI", b"000000000eN")
_SUSPECT = (b"N", b"e000", b"0" * 300)


def to_json(measurements: Measurements) -> str:
    """One line of JSON. Raises `ValueError` for a non-finite float, which should have been a failed candidate."""
    try:
        data = _ADAPTER.dump_python(measurements)  # ten times as fast as `asdict`
        if not measurements.efficiency.machine:
            del data["efficiency"]["machine"]
        if measurements.efficiency.runtime == "eager":
            del data["efficiency"]["runtime"]  # as every run of older versions
        if not measurements.rungs:
            del data["rungs"]  # a run without rungs writes what it always wrote
        if measurements.lineage is None:
            del data["lineage"]  # nor does one in which every student starts fresh say more
        if measurements.training.averaging is None:
            del data["training"]["averaging"]
        return json.dumps(data, allow_nan=False)
    except ValueError:
        bad = ", ".join(_non_finite(asdict(measurements), ""))
        raise ValueError(f"measurements must be finite, got {bad}") from None


def _non_finite(data: Any, path: str) -> Iterator[str]:
    """Each float that JSON cannot hold, in the form `quality.accuracy.low = nan`."""
    if isinstance(data, float) and not math.isfinite(data):
        yield f"{path} = {data}"
    elif isinstance(data, dict):
        for name, value in data.items():
            yield from _non_finite(value, f"{path}.{name}" if path else name)
    elif isinstance(data, tuple):
        for index, value in enumerate(data):
            yield from _non_finite(value, f"{path}[{index}]")


def from_json(text: str) -> Measurements:
    """The inverse of `to_json`. Raises `ValueError` for data of another shape, and for a non-finite float."""
    found = _ADAPTER.validate_json(text)
    if _may_overflow(text) and (bad := list(_non_finite(asdict(found), ""))):
        raise ValueError(f"measurements must be finite, got {', '.join(bad)}")
    return found


def _may_overflow(text: str) -> bool:
    folded = text.encode("utf-8", "surrogatepass").translate(_FOLDED, b"+")
    return any(part in folded for part in _SUSPECT)
