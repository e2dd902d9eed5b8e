"""The measurements of `rosearch attack`: one model or several on the same rows and held-out sets, and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from rosearch.attack.broken_examples import BrokenExample, broken_examples
from rosearch.attack.inputs import FoundClassifier, LabelledRows
from rosearch.attack.measure import as_victim, open_cache, predict_classes
from rosearch.attack.request import AttackRequest, Inputs, open_memories, read_inputs
from rosearch.errors import BadInput, CandidateFailed, Problem, RosearchError, one_line
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.class_order import ClassOrder, class_order
from rosearch.evaluation.collapse import collapse
from rosearch.evaluation.comparison import ALPHA, Comparison, compare, holm
from rosearch.evaluation.heldout import HeldOut, HeldOutScore, score
from rosearch.evaluation.robustness import Suite, SuiteResult, measure_robustness, sample_rows
from rosearch.measurements import Robustness
from rosearch.models.device import resolve_device
from rosearch.models.engines import FOLDER
from rosearch.models.heads import are_named
from rosearch.progress import Progress, silent, step
from rosearch.resources.resources import Resources


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
    order: ClassOrder | None = None  # None without an attack
    cut: int = 0  # attacked rows of which it reads a part
    target: str = FOLDER  # the format of its folder that answered


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
    columns: tuple[str, ...] = ()  # of the texts and the label, where rows came from a file
    dropped: int = 0  # rows of the file that were left out


def run_attack(request: AttackRequest, progress: Progress = silent) -> AttackReport:
    """Attack each model on the same frozen rows and plans, score held-out sets, compare each with the first.

    Raises `BadInput` with every problem of attacks, models, rows and sets, and `MissingResource`, all before a
    weight is loaded. A model that fails is reported and the others go on; a single one's failure is raised.
    """
    resources, device = Resources(request.resources), _device(request)
    with step(progress, "reading models and data"):
        inputs = read_inputs(request, resources)
    cache = open_cache(request.cache)
    inputs = replace(inputs, memories=open_memories(inputs, request, cache, device))
    try:
        done = _all_measured(inputs, request, resources, cache, device, progress)
        for memory in inputs.memories:
            memory.forget()
    finally:
        for memory in inputs.memories:
            memory.close()
    compared = _compare(done)
    where, available = ("", 0) if inputs.rows is None else (inputs.rows.where, len(inputs.rows.texts))
    columns, dropped = ((), 0) if inputs.rows is None else (inputs.rows.columns, inputs.rows.dropped)
    warnings = tuple(_warnings(done, compared))
    return AttackReport(tuple(done), compared, warnings, where, available, str(device), columns, dropped)


def _device(request: AttackRequest) -> torch.device:
    """The device of all models: the processor where an engine answers. Raises `BadInput` where another one is named."""
    if set(request.targets) <= {FOLDER}:
        return resolve_device(request.device)
    if request.device not in ("auto", "cpu"):
        expected = f"cpu, where {', '.join(request.targets)} are asked"
        raise BadInput(Problem("command line", "--device", expected, request.device))
    return torch.device("cpu")


def _all_measured(
    inputs: Inputs,
    request: AttackRequest,
    resources: Resources,
    cache: Path,
    device: torch.device,
    progress: Progress,
) -> list[AttackedModel]:
    done = []
    for place, found in enumerate(inputs.classifiers):
        title = f"{place + 1} of {len(inputs.classifiers)}, " if len(inputs.classifiers) > 1 else ""

        def told(stage: str, steps: int, total: int, title: str = title) -> None:
            progress(f"{title}{stage}", steps, total)

        try:
            measured = _measured(inputs, place, request, resources, cache, device, told)
            done.append(replace(measured, target=found.target))
        except RosearchError as error:
            if len(inputs.classifiers) == 1:
                raise
            done.append(
                AttackedModel(found.name, found.labels, inputs.lengths[place], failure=str(error), target=found.target)
            )
    return done


def _measured(
    inputs: Inputs,
    place: int,
    request: AttackRequest,
    resources: Resources,
    cache: Path,
    device: torch.device,
    progress: Progress,
) -> AttackedModel:
    found, rows = inputs.classifiers[place], inputs.rows
    with step(progress, "loading the model"):
        classifier = found.load()
    length = inputs.lengths[place]
    memory = inputs.memories[place] if inputs.memories else None
    with as_victim(classifier, found.tokenizer, length, device) as victim:
        try:
            scores = tuple(_scored(victim, held, progress) for held in inputs.held_out[place])
            if rows is None or not request.attacks:
                return AttackedModel(found.name, found.labels, length, held_out=scores)
            suite = Suite(request.attacks, request.rows, request.limits, request.single_swaps, similarity=True)
            labels = inputs.labels[place]
            sample = sample_rows(len(rows.texts), request.rows, request.seed)
            attacked = [rows.texts[row] for row in sample]
            predicted = predict_classes(victim, attacked)
            collapsed = collapse(predicted, labels[sample], found.labels).warning
            order = class_order(predicted, labels[sample], len(found.labels))
            if order.wrong and not found.named:
                raise _in_another_order(found, rows, order)
            result = measure_robustness(
                victim,
                rows.texts,
                labels,
                suite,
                seed=request.seed,
                resources=resources,
                cache=cache,
                progress=progress,
                memory=memory,
            )
            broken = broken_examples(victim, found.labels, rows.texts, labels, result, request.examples)
            cut = victim.longer(attacked)
            return AttackedModel(found.name, found.labels, length, result, collapsed, broken, scores, "", order, cut)
        except Exception as error:
            if isinstance(error, CandidateFailed) or victim.failure is error:
                kind = "" if isinstance(error, CandidateFailed) else f"{type(error).__name__}: "
                raise RosearchError(f"model {found.name}: {kind}{one_line(error, 300)}") from error
            raise


def _scored(victim: Victim, held: HeldOut, progress: Progress) -> HeldOutScore:
    def told(done: int, total: int) -> None:
        progress(f"held-out set {held.name}", done, total)

    return score(held, predict_classes(victim, held.texts, told), victim.longer(held.texts))


def _in_another_order(found: FoundClassifier, rows: LabelledRows, order: ClassOrder) -> BadInput:
    names = rows.names if are_named(rows.names) else tuple(str(place) for place in range(len(rows.names)))
    expected = f"classes in the order of the labels ({', '.join(names)})"
    got = f"classes without names, {order.doubt}"
    return BadInput(Problem("model", found.name, expected, got, order.advice(names)))


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
        if model.order is not None and model.order.wrong:
            yield f"{model.name} is right on fewer rows than chance: are its labels in another order than the rows'?"
        elif model.order is not None and not are_named(model.labels) and model.order.doubt:
            yield f"{model.name}, whose classes have no names, is {model.order.doubt}"
        for held in model.held_out:
            accuracy = held.overall.accuracy
            if accuracy is None or accuracy.high >= 1 / len(model.labels):
                continue
            if not are_named(model.labels):
                yield f"{model.name}, whose classes have no names, is right on fewer rows of {held.name} than chance"
            elif held.numbered:
                wrong = f"{model.name} is right on fewer rows of {held.name} than chance"
                yield f"{wrong}: do its integers stand for {', '.join(model.labels)}, in this order?"
    models = len({one.comparison.first for one in compared})
    for one in compared[:models]:  # the worst case decides; single attacks are there to look at
        if one.comparison.warning:
            yield one.comparison.warning
        elif not one.separated:
            names = f"{one.comparison.first} and {one.comparison.second}"
            yield f"{names} are not separated once {models} models are compared: p = {one.p_holm:.3f} (Holm)"
