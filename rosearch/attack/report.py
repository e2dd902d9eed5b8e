"""The measurements of `rosearch attack`: one model or several on the same rows and held-out sets, and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rosearch.attack.broken_examples import BrokenExample, broken_examples
from rosearch.attack.inputs import (
    COLUMNS_BY_NAME,
    Columns,
    FoundClassifier,
    LabelledRows,
    find_classifier,
    is_experiment,
    read_rows,
)
from rosearch.attack.measure import as_victim, check_attacks, open_cache, predict_classes
from rosearch.data.tasks import Labels
from rosearch.errors import BadInput, CandidateFailed, Problem, Problems, RosearchError, one_line
from rosearch.evaluation.attacks.result import NO_LIMITS, Limits
from rosearch.evaluation.collapse import collapse
from rosearch.evaluation.comparison import ALPHA, Comparison, compare, holm
from rosearch.evaluation.heldout import HeldOut, HeldOutScore, score
from rosearch.evaluation.heldout_files import ADVGLUE, read_held_out
from rosearch.evaluation.robustness import Suite, SuiteResult, measure_robustness, sample_rows
from rosearch.measurements import Robustness
from rosearch.models.device import resolve_device
from rosearch.models.lengths import longest_input
from rosearch.progress import Progress, silent
from rosearch.resources.resources import Resources


@dataclass(frozen=True)
class AttackRequest:
    """The request to `rosearch attack`; `task` and `attacks` go together, `held_out` are files of their own."""

    models: tuple[str, ...]
    attacks: tuple[str, ...] = ()
    task: Path | None = None
    split: str = "test"
    columns: Columns = COLUMNS_BY_NAME
    rows: int = 500
    seed: int = 1
    data_root: Path | None = None
    resources: Path | None = None
    limits: Limits = NO_LIMITS
    single_swaps: tuple[str, ...] = ()
    held_out: tuple[Path, ...] = ()
    held_out_task: str = ""
    examples: int = 5  # of each model, over all attacks
    device: str = "auto"
    max_length: int | None = None
    trust_remote_code: bool = False
    cache: Path | None = None


@dataclass(frozen=True)
class AttackedModel:
    """The measurements of one model; `failure` says in words why there are none. `labels` name its outputs."""

    name: str
    labels: tuple[str, ...]
    max_length: int
    result: SuiteResult | None = None
    collapse: str = ""
    broken: tuple[BrokenExample, ...] = ()
    held_out: tuple[HeldOutScore, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class Compared:
    """A model against the first one on the same rows; `p_holm` is McNemar's p, adjusted for the number of models."""

    attack: str
    comparison: Comparison
    p_holm: float

    @property
    def separated(self) -> bool:
        """True where accuracy under attack tells the two apart: over all models, wrong in at most 5 %."""
        return self.p_holm < ALPHA


@dataclass(frozen=True)
class AttackReport:
    """Everything that `rosearch attack` prints. `available` counts the rows of the source."""

    models: tuple[AttackedModel, ...]
    compared: tuple[Compared, ...]
    warnings: tuple[str, ...]
    where: str
    available: int
    device: str


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The inputs of a request, found and read; for each classifier, its labels of the rows and its held-out sets."""

    classifiers: tuple[FoundClassifier, ...]
    rows: LabelledRows | None
    labels: tuple[Labels, ...]
    held_out: tuple[tuple[HeldOut, ...], ...]
    lengths: tuple[int, ...]  # tokens that texts are cut to


def run_attack(request: AttackRequest, progress: Progress = silent) -> AttackReport:
    """Attack each model on the same frozen rows and plans, score held-out sets, compare each with the first.

    Raises `BadInput` with every problem of attacks, models, rows and sets, and `MissingResource`, all before a
    weight is loaded. A model that fails is reported and the others go on; a single one's failure is raised.
    """
    resources, device = Resources(request.resources), resolve_device(request.device)
    inputs = _read_inputs(request, resources)
    cache = open_cache(request.cache)
    done = []
    for place, found in enumerate(inputs.classifiers):
        title = f"{place + 1} of {len(inputs.classifiers)}, " if len(inputs.classifiers) > 1 else ""

        def told(stage: str, steps: int, total: int, title: str = title) -> None:
            progress(f"{title}{stage}", steps, total)

        try:
            done.append(_measured(inputs, place, request, resources, cache, device, told))
        except RosearchError as error:
            if len(inputs.classifiers) == 1:
                raise
            done.append(AttackedModel(found.name, found.labels, inputs.lengths[place], failure=str(error)))
    compared = _compare(done)
    where, available = ("", 0) if inputs.rows is None else (inputs.rows.where, len(inputs.rows.texts))
    return AttackReport(tuple(done), compared, tuple(_warnings(done, compared)), where, available, str(device))


def _read_inputs(request: AttackRequest, resources: Resources) -> _Inputs:
    problems = Problems()
    found: list[FoundClassifier] = []
    rows: LabelledRows | None = None
    with problems:
        check_attacks((*request.attacks, *request.single_swaps), resources)
    for name in request.models:
        with problems:
            found.append(find_classifier(name, trust_remote_code=request.trust_remote_code))
    if request.task is not None and found:
        with problems:
            # An experiment names its own columns: those that a user names beside it belong to the held-out sets.
            columns = COLUMNS_BY_NAME if request.held_out and is_experiment(request.task) else request.columns
            rows = read_rows(request.task, request.split, columns, request.data_root, found[0])
    labels, held_out, lengths = [], [], []
    task = request.held_out_task or (rows.task if rows is not None and rows.task in ADVGLUE else "")
    for one in found:
        with problems:
            lengths.append(_length(one, request.max_length, rows))
        if rows is not None:
            with problems:
                labels.append(rows.labels_of(one))
        with problems:
            held_out.append(
                tuple(read_held_out(path, one.labels, task, request.columns.names) for path in request.held_out)
            )
    problems.raise_found()
    return _Inputs(tuple(found), rows, tuple(labels), tuple(held_out), tuple(lengths))


def _length(found: FoundClassifier, asked: int | None, rows: LabelledRows | None) -> int:
    longest = longest_input(found.config, found.tokenizer)
    if asked is not None and not 8 <= asked <= longest:
        expected = f"8 to {longest} tokens, what {found.name} reads"
        raise BadInput(Problem("command line", "--max-length", expected, str(asked)))
    task = longest if rows is None or rows.max_length is None else rows.max_length
    return asked or min(task, longest)


def _measured(
    inputs: _Inputs,
    place: int,
    request: AttackRequest,
    resources: Resources,
    cache: Path,
    device: torch.device,
    progress: Progress,
) -> AttackedModel:
    found, rows = inputs.classifiers[place], inputs.rows
    classifier = found.load()
    length = inputs.lengths[place]
    with as_victim(classifier, found.tokenizer, length, device) as victim:
        try:
            scores = tuple(score(held, predict_classes(victim, held.texts)) for held in inputs.held_out[place])
            if rows is None or not request.attacks:
                return AttackedModel(found.name, found.labels, length, held_out=scores)
            suite = Suite(request.attacks, request.rows, request.limits, request.single_swaps, similarity=True)
            labels = inputs.labels[place]
            sample = sample_rows(len(rows.texts), request.rows, request.seed)
            predicted = predict_classes(victim, [rows.texts[row] for row in sample])
            collapsed = collapse(predicted, labels[sample], found.labels).warning
            result = measure_robustness(
                victim,
                rows.texts,
                labels,
                suite,
                seed=request.seed,
                resources=resources,
                cache=cache,
                progress=progress,
            )
            broken = broken_examples(victim, found.labels, rows.texts, labels, result, request.examples)
            return AttackedModel(found.name, found.labels, length, result, collapsed, broken, scores)
        except Exception as error:
            if isinstance(error, CandidateFailed) or victim.failure is error:
                kind = "" if isinstance(error, CandidateFailed) else f"{type(error).__name__}: "
                raise RosearchError(f"model {found.name}: {kind}{one_line(error, 300)}") from error
            raise


def _compare(done: Sequence[AttackedModel]) -> tuple[Compared, ...]:
    """Each model against the first: in the worst case, and under each attack where there are several."""
    first, *others = done
    results = [(other.name, other.result) for other in others if other.result is not None]
    if first.result is None or not results:
        return ()
    compared: list[Compared] = []
    for place, reference in enumerate(_columns(first.result)):
        found = [_comparison(name, _columns(result)[place], first.name, reference) for name, result in results]
        adjusted = holm(np.array([one.survival.p for one in found]))
        compared += [Compared(reference.attack, one, float(p)) for one, p in zip(found, adjusted, strict=True)]
    return tuple(compared)


def _columns(result: SuiteResult) -> tuple[Robustness, ...]:
    """The worst case first, which is the attack itself where there is one."""
    return result.attacks if len(result.attacks) == 1 else (result.worst, *result.attacks)


def _comparison(name: str, found: Robustness, other: str, reference: Robustness) -> Comparison:
    return compare(name, found.survived, found.shares, other, reference.survived, reference.shares)


def _warnings(done: Sequence[AttackedModel], compared: Sequence[Compared]) -> Iterator[str]:
    for model in done:
        if model.collapse:
            yield f"{model.name} {model.collapse}: what it survives says nothing of its robustness"
        if model.result is not None and model.result.worst.clean.high < 1 / len(model.labels):
            yield f"{model.name} is right on fewer rows than chance: are its labels in another order than the rows'?"
    models = len({one.comparison.first for one in compared})
    for one in compared[:models]:  # the worst case decides; single attacks are there to look at
        if one.comparison.warning:
            yield one.comparison.warning
        elif not one.separated:
            names = f"{one.comparison.first} and {one.comparison.second}"
            yield f"{names} are not separated once {models} models are compared: p = {one.p_holm:.3f} (Holm)"
