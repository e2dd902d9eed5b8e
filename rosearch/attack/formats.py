"""A format that changes answers, measured beside the float32 file: the same rows, the same attacks, in turn.

>>> figures = compare_formats(request, Path("plain/model.onnx"), Path("model_quantized.onnx"))
>>> figures.same, figures.ms / figures.exact_ms
(Estimate(value=0.994, low=0.987, high=0.998, n=872), 0.71)

Texts are asked one at a time, as a quantised file must be: it answers a text by the scale of the whole batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from rosearch.attack.engine_model import EngineModel
from rosearch.attack.inputs import FoundClassifier
from rosearch.attack.measure import open_cache, predict_classes
from rosearch.attack.request import AttackRequest, Inputs, read_inputs
from rosearch.evaluation.attacks.victim import Tokenised, Victim
from rosearch.evaluation.intervals import wilson
from rosearch.evaluation.robustness import Suite, SuiteResult, measure_robustness
from rosearch.measurements import AttackedTwice, Estimate, FormatFigures
from rosearch.models.device import machine
from rosearch.progress import Progress, silent, step
from rosearch.resources.resources import Resources

_CPU = torch.device("cpu")
_TIMED = 200  # rows
_AGAIN = 3  # times that each is asked; the quickest counts


def compare_formats(request: AttackRequest, plain: Path, other: Path, progress: Progress = silent) -> FormatFigures:
    """The figures of `other`, an int8 file, beside those of `plain`, both of the one folder that the request names.

    All rows of the request's split are predicted; `request.rows` of them are attacked. Raises as `rosearch attack`.
    """
    resources = Resources(request.resources)
    with step(progress, "reading rows"):
        inputs = read_inputs(request, resources)
    found, rows = inputs.classifiers[0], inputs.rows
    assert rows is not None  # a request with attacks has a task
    exact, fast = (_victim(found, name, path, inputs) for name, path in (("onnx", plain), ("int8", other)))
    labels = inputs.labels[0]
    with step(progress, "predicting every row twice"):
        expected, got = predict_classes(exact, rows.texts), predict_classes(fast, rows.texts)
    with step(progress, "timing both"):
        exact_ms, ms = _timed(exact, fast, rows.texts)
    suite = Suite(request.attacks, request.rows, request.limits)
    attacked = []
    for title, victim in (("float32", exact), ("int8", fast)):

        def told(stage: str, done: int, total: int, title: str = title) -> None:
            progress(f"{title}, {stage}", done, total)

        cache = open_cache(request.cache)
        attacked.append(
            measure_robustness(
                victim, rows.texts, labels, suite, seed=request.seed, resources=resources, cache=cache, progress=told
            )
        )
    return FormatFigures(
        rows=f"{len(rows.texts)} rows of {Path(rows.where).name}",
        machine=machine(),
        same=_share(expected == got),
        attacks=_pairs(*attacked),
        ms=ms,
        exact_ms=exact_ms,
        accuracy=_share(got == labels),
        exact_accuracy=_share(expected == labels),
    )


def _victim(found: FoundClassifier, target: str, path: Path, inputs: Inputs) -> Victim:
    model = replace(found, target=target, file=path).load()
    assert isinstance(model, EngineModel)
    return Victim(model, found.tokenizer, inputs.lengths[0], _CPU)


def _timed(exact: Victim, fast: Victim, texts: Sequence[tuple[str, ...]]) -> tuple[float, float]:
    """The median milliseconds of a text in both, asked in turn; the tokeniser is left out."""
    spent: dict[Victim, list[float]] = {exact: [], fast: []}
    with torch.inference_mode():
        for row, text in enumerate(texts[:_TIMED]):
            read = exact.tokenise([text])
            for victim in (exact, fast) if row % 2 else (fast, exact):
                spent[victim].append(min(_seconds(victim, read) for _ in range(_AGAIN)))
    return 1000 * median(spent[exact]), 1000 * median(spent[fast])


def _seconds(victim: Victim, read: Tokenised) -> float:
    begun = time.perf_counter()
    victim.one_pass(*read)
    return time.perf_counter() - begun


def _pairs(exact: SuiteResult, fast: SuiteResult) -> tuple[AttackedTwice, ...]:
    both = zip(exact.attacks, fast.attacks, strict=True)
    return tuple(AttackedTwice(one.attack, other.under_attack, one.under_attack) for one, other in both)


def _share(right: np.ndarray[Any, np.dtype[np.bool_]]) -> Estimate:
    return wilson(int(right.sum()), len(right))
