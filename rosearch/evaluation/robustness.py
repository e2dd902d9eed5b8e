"""Robustness under a suite of attacks: a seeded sample of rows, each attack alone, and the worst case of each row."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rosearch.errors import CandidateFailed
from rosearch.evaluation.attacks.engine.single_swaps import measure_single_swaps
from rosearch.evaluation.attacks.memory import AttackMemory
from rosearch.evaluation.attacks.prepared import PreparedAttack, prepare_attack
from rosearch.evaluation.attacks.result import (
    NO_LIMITS,
    SURVIVING,
    AttackedRow,
    Limits,
    share_changed,
    weaker_than,
    words_to_break,
    worst_case,
)
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.intervals import mean_interval, wilson
from rosearch.evaluation.quality import inference
from rosearch.evaluation.sequential import Hopeless, is_hopeless, looks_at
from rosearch.measurements import ClassRobustness, Robustness, SingleSwaps, Stopped
from rosearch.progress import Progress, silent
from rosearch.randomness import generator
from rosearch.resources.resources import Resources

_SHARE, _COUNT = (0.0, 1.0), (0.0, math.inf)  # the limits of averaged values
_LETTERS = {
    "misclassified": "m",
    "broken": "b",
    "survived": "s",
    "error": "e",
    "out_of_queries": "q",
    "out_of_time": "t",
}
_TRIES = 10  # times the budget of the others, for an attack that adapts: it must not fail for want of tries

Labels = np.ndarray[tuple[int], np.dtype[Any]]


@dataclass(frozen=True)
class Suite:
    """Attacks on the same rows. `single_swaps` names recipes whose single swaps are scored too."""

    attacks: tuple[str, ...]
    rows: int
    limits: Limits = NO_LIMITS
    single_swaps: tuple[str, ...] = ()
    hopeless: Hopeless | None = None
    similarity: bool = False  # between broken rows and their originals, by the sentence encoder of the resources


@dataclass(frozen=True)
class SuiteResult:
    """`rows` are the numbers of the attacked rows among all; `details` has their outcomes by attack."""

    worst: Robustness
    attacks: tuple[Robustness, ...]
    single_swaps: tuple[SingleSwaps, ...]
    rows: tuple[int, ...]
    details: dict[str, tuple[AttackedRow, ...]]
    known: int = 0  # rows, over all attacks, that were not attacked again, as an earlier process was done with them


@dataclass
class _Running:
    """One attack and its outcomes so far, by place in the sample."""

    attack: PreparedAttack
    done: dict[int, AttackedRow] = field(default_factory=dict)
    seconds: float = 0.0
    known: dict[int, AttackedRow] = field(default_factory=dict)  # rows that an earlier process was done with
    memory: AttackMemory | None = None

    def run(
        self, victim: Victim, labels: Sequence[int], places: Sequence[int], limits: Limits, progress: Progress
    ) -> None:
        """Attacks the rows at `places` that are not known."""
        begun = time.perf_counter()
        self.done |= {place: self.known[place] for place in places if place in self.known}
        left = [place for place in places if place not in self.known]
        if self.attack.recipe.adapts and limits.queries is not None:
            limits = replace(limits, queries=_TRIES * limits.queries)
        if left:
            done = len(places) - len(left)

            def told(stage: str, count: int, total: int) -> None:
                progress(f"{stage} {self.attack.recipe.name}", done + count, len(places))

            results = self.attack.run(victim, labels, left, limits, told, self._finished)
            self.done |= dict(zip(left, results, strict=True))
        self.seconds += time.perf_counter() - begun

    def _finished(self, place: int, row: AttackedRow) -> None:
        if self.memory is not None:
            self.memory.keep(self.attack.key, place, row)


def measure_robustness(
    victim: Victim,
    texts: Sequence[tuple[str, ...]],
    labels: Labels,
    suite: Suite,
    *,
    seed: int,
    resources: Resources,
    cache: Path,
    progress: Progress = silent,
    memory: AttackMemory | None = None,
) -> SuiteResult:
    """Attack a classifier on a sample of `suite.rows` rows (all, where there are fewer), sentences or pairs.

    The sample depends on the seed and the number of rows; a smaller sample is part of a larger one. An attack's random
    numbers for a row depend on the seed and the row's text, never on other rows. Attacks that name the same recipe
    count once. Plans are kept below `cache`; the time to compile one is not counted. Rows that `memory` has are not
    attacked again, and it is told of each row as it ends.

    Raises `CandidateFailed`: nan where a logit is not finite, attack_error where an attack raised on every row that it
    attacked. An error of the model itself goes through.
    """
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"an attack needs classes to flip, the labels are {labels.dtype}")
    chosen = sample_rows(len(texts), suite.rows, seed)
    rows = [tuple(texts[row]) for row in chosen]
    truth = [int(labels[row]) for row in chosen]

    def prepared(names: Sequence[str]) -> list[PreparedAttack]:
        made = [prepare_attack(name, rows, seed, victim, resources, cache, progress) for name in names]
        return list({attack.key: attack for attack in made}.values())

    running = [
        _Running(attack, known=memory.rows(attack.key) if memory is not None else {}, memory=memory)
        for attack in prepared(suite.attacks)
    ]
    with inference(victim.model, victim.device):
        stopped = _run_suite(running, victim, truth, suite, seed, progress)
        swaps = tuple(measure_single_swaps(attack, victim, truth) for attack in prepared(suite.single_swaps))
    places = sorted(running[0].done)
    details = {one.attack.recipe.name: tuple(one.done[place] for place in places) for one in running}
    for name, results in details.items():
        _require_one_that_ran(name, results)
    seen = [truth[place] for place in places]
    alone = tuple(
        replace(
            summarise(one.attack.recipe.name, seed, details[one.attack.recipe.name], seen, one.seconds),
            differs=one.attack.recipe.differs,
            reads=one.attack.recipe.reads,
            weaker_than=weaker_than(one.attack.recipe.against, one.attack.recipe.name, details),
            plan=one.attack.key,
            stopped=stopped,
            similarity=_similarity(details[one.attack.recipe.name], rows, places, suite, resources, victim),
        )
        for one in running
    )
    counted = _judging(running)
    judging = tuple(one for one, ran in zip(alone, running, strict=True) if ran in counted)
    judged = {one.attack: details[one.attack] for one in judging}
    worst = judging[0] if len(judging) == 1 else _worst_of(judging, judged, seed, seen, stopped)
    known = sum(len(one.known) for one in running)
    return SuiteResult(worst, alone, swaps, tuple(chosen[place] for place in places), details, known)


def sample_rows(available: int, rows: int, seed: int) -> list[int]:
    """Up to `rows` of `available` row numbers, ascending. Raises `ValueError` where there are none."""
    if available < 1 or rows < 1:
        raise ValueError(f"cannot sample {rows} of {available} rows")
    order = list(range(available))
    generator(seed, "attacked rows").shuffle(order)
    return sorted(order[:rows])


def summarise(
    attack: str, seed: int, results: Sequence[AttackedRow], labels: Sequence[int], seconds: float
) -> Robustness:
    """The summary of one attack's rows; a row whose attack raised counts as broken without any change."""
    clean = [result for result in results if result.outcome != "misclassified"]
    survived = sum(result.outcome in SURVIVING for result in clean)
    counted = [result for result in clean if result.outcome != "error"]
    shares = [words_to_break(result) for result in results]
    return Robustness(
        attack=attack,
        seed=seed,
        n=len(results),
        clean=wilson(len(clean), len(results)),
        under_attack=wilson(survived, len(results)),
        success_rate=wilson(len(clean) - survived, len(clean)),
        queries=mean_interval([result.queries for result in counted], _COUNT),
        perturbed_words=mean_interval([share_changed(row) for row in clean if row.outcome == "broken"], _SHARE),
        words_to_break=mean_interval(shares, _SHARE),
        errors=_count(results, "error"),
        seconds=seconds,
        distinct_queries=mean_interval([result.distinct for result in counted], _COUNT),
        per_class=_per_class(results, labels),
        out_of_queries=_count(results, "out_of_queries"),
        out_of_time=_count(results, "out_of_time"),
        outcomes="".join(_LETTERS[result.outcome] for result in results),
        shares=tuple(round(share, 4) for share in shares),
    )


def _judging(running: Sequence[_Running]) -> list[_Running]:
    """The attacks whose worst case counts. Those that adapt break a perfect classifier too: they count if alone."""
    return [one for one in running if not one.attack.recipe.adapts] or list(running)


def _run_suite(
    running: Sequence[_Running], victim: Victim, labels: Sequence[int], suite: Suite, seed: int, progress: Progress
) -> Stopped | None:
    """Run all attacks; with `hopeless`, on more and more rows in random order, until a candidate is given up."""
    order = list(range(len(labels)))
    ends = [len(labels)]
    if suite.hopeless is not None:
        generator(seed, "order of attack").shuffle(order)
        ends = [*(look for look in looks_at(len(labels), suite.hopeless.looks) if look < len(labels)), *ends]
    start, judging = 0, _judging(running)
    for end in ends:
        for one in running:

            def told(stage: str, done: int, _: int, before: int = start) -> None:
                progress(stage, before + done, len(labels))

            one.run(victim, labels, order[start:end], suite.limits, told)
        start = end
        survived = sum(worst_case([one.done[place] for one in judging]).outcome in SURVIVING for place in order[:end])
        if suite.hopeless is not None and end < len(labels) and is_hopeless(survived, end, suite.hopeless):
            return Stopped(end, len(labels), suite.hopeless.below, suite.hopeless.error_rate)
    return None


def _worst_of(
    alone: Sequence[Robustness],
    details: dict[str, tuple[AttackedRow, ...]],
    seed: int,
    labels: Sequence[int],
    stopped: Stopped | None,
) -> Robustness:
    """The suite as one attack that tries all: it breaks a row that any breaks, and every query counts."""
    worst = []
    for results in zip(*details.values(), strict=True):
        queries, distinct = sum(row.queries for row in results), sum(row.distinct for row in results)
        worst.append(replace(worst_case(results), queries=queries, distinct=distinct))
    summary = summarise(f"worst of {', '.join(details)}", seed, worst, labels, sum(one.seconds for one in alone))
    return replace(summary, plan="+".join(one.plan for one in alone), stopped=stopped)


def _similarity(
    results: Sequence[AttackedRow],
    rows: Sequence[tuple[str, ...]],
    places: Sequence[int],
    suite: Suite,
    resources: Resources,
    victim: Victim,
) -> Any:
    """The mean cosine between the embeddings of broken rows and their originals; None without rows or encoder."""
    if not suite.similarity or not resources.has("sentence_encoder"):
        return None
    pairs = [
        ("\n".join(rows[place]), "\n".join(result.texts))
        for place, result in zip(places, results, strict=True)
        if result.outcome == "broken"
    ]
    if not pairs:
        return None
    encode = resources.sentence_encoder(victim.device).encode
    originals, broken = (encode(list(texts)) for texts in zip(*pairs, strict=True))
    return mean_interval(torch.nn.functional.cosine_similarity(originals, broken).tolist(), (-1.0, 1.0))


def _require_one_that_ran(attack: str, results: Sequence[AttackedRow]) -> None:
    attacked = [result for result in results if result.outcome != "misclassified"]
    raised = [result for result in attacked if result.outcome == "error"]
    if raised and len(raised) == len(attacked):
        message = f"{attack} raised on all {len(attacked)} rows that it attacked, first {raised[0].complaint}"
        raise CandidateFailed("attack_error", message, "attack")


def _per_class(results: Sequence[AttackedRow], labels: Sequence[int]) -> tuple[ClassRobustness, ...]:
    found = []
    for label in sorted(set(labels)):
        rows = [row for row, its_label in zip(results, labels, strict=True) if its_label == label]
        clean = sum(row.outcome != "misclassified" for row in rows)
        survived = sum(row.outcome in SURVIVING for row in rows)
        found.append(ClassRobustness(label, len(rows), wilson(clean, len(rows)), wilson(survived, len(rows))))
    return tuple(found)


def _count(results: Sequence[AttackedRow], outcome: str) -> int:
    return sum(result.outcome == outcome for result in results)
