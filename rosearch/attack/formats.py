"""A format that changes answers, measured beside the float32 file: the same rows, the same attacks, in turn.

>>> compare = FormatComparison(request)
>>> figures = compare(Path("plain/model.onnx"), Path("model_quantized.onnx"))
>>> figures.same, figures.ms / figures.exact_ms
(Estimate(value=0.994, low=0.987, high=0.998, n=872), 0.71)

Texts are asked one at a time, as a quantised file must be: it answers a text by the scale of the whole batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from rosearch.attack.inputs import LabelledRows
from rosearch.attack.measure import open_cache, predict_classes
from rosearch.attack.request import AttackRequest, Inputs, read_inputs
from rosearch.data.tasks import Labels
from rosearch.evaluation.attacks.victim import Tokenised, Victim
from rosearch.evaluation.intervals import wilson
from rosearch.evaluation.robustness import Suite, SuiteResult, measure_robustness
from rosearch.measurements import AttackedTwice, Estimate, FormatFigures
from rosearch.models.device import machine
from rosearch.models.engine_model import EngineModel
from rosearch.progress import Progress, silent, step
from rosearch.resources.resources import Resources

_CPU = torch.device("cpu")
_TIMED = 200  # rows
_AGAIN = 3  # times that each is asked; the quickest counts


@dataclass
class FormatComparison:
    """int8 files beside the float32 file of the one folder that the request names.

    All rows of the request's split are predicted; `request.rows` of them are attacked. The float32 file is asked once,
    however many others stand beside it; only their time is measured in turn.
    """

    request: AttackRequest
    progress: Progress = silent
    _known: dict[Path, tuple[Labels, SuiteResult]] = field(default_factory=dict)  # of float32 files

    def __call__(self, plain: Path, other: Path) -> FormatFigures:
        """The figures of `other` beside those of `plain`. Raises as `rosearch attack`."""
        rows, labels = self._rows, self._inputs.labels[0]
        exact, fast = self._victim("onnx", plain), self._victim("int8", other)
        with step(self.progress, "timing both"):
            exact_ms, ms = _timed(exact, fast, rows.texts)
        if plain not in self._known:
            self._known[plain] = self._answers(exact, "float32")
        (expected, exact_suite), (got, suite) = self._known[plain], self._answers(fast, "int8")
        return FormatFigures(
            rows=f"{len(rows.texts)} rows of {Path(rows.where).name}",
            machine=machine(),
            same=_share(expected == got),
            attacks=_pairs(exact_suite, suite),
            ms=ms,
            exact_ms=exact_ms,
            accuracy=_share(got == labels),
            exact_accuracy=_share(expected == labels),
        )

    @cached_property
    def _resources(self) -> Resources:
        return Resources(self.request.resources)

    @cached_property
    def _inputs(self) -> Inputs:
        with step(self.progress, "reading rows"):
            return read_inputs(self.request, self._resources)

    @property
    def _rows(self) -> LabelledRows:
        assert self._inputs.rows is not None  # a request with attacks has a task
        return self._inputs.rows

    def _victim(self, target: str, path: Path) -> Victim:
        found = self._inputs.classifiers[0]
        model = replace(found, target=target, file=path).load()
        assert isinstance(model, EngineModel)
        return Victim(model, found.tokenizer, self._inputs.lengths[0], _CPU)

    def _answers(self, victim: Victim, title: str) -> tuple[Labels, SuiteResult]:
        """The class of every row, and the attacks on some of them."""

        def told(stage: str, done: int, total: int) -> None:
            self.progress(f"{title}, {stage}", done, total)

        request, texts, labels = self.request, self._rows.texts, self._inputs.labels[0]
        with step(told, "predicting every row"):
            classes = predict_classes(victim, texts)
        suite, cache = Suite(request.attacks, request.rows, request.limits), open_cache(request.cache)
        attacked = measure_robustness(
            victim, texts, labels, suite, seed=request.seed, resources=self._resources, cache=cache, progress=told
        )
        return classes, attacked


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
