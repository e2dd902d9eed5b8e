"""Unmodified TextAttack attacks, many rows at a time: their model queries are answered in joint batches.

Each lane is a greenlet with an attack object and random generators of its own. It runs until its attack asks the model
something, and waits there until all lanes wait; then one scoring answers all of them. One lane runs at a time and
nothing else is shared. So the result of a row depends neither on the number of lanes nor on the rows beside it, except
that logits computed in another batch may differ in their last bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from rosearch.evaluation.attacks.result import NO_LIMITS, AttackedRow, Limits, OnRow, ignored
from rosearch.evaluation.attacks.stock import library
from rosearch.evaluation.attacks.stock.lane import Lane, RowJob
from rosearch.evaluation.attacks.victim import Logits, Tokenised, Victim
from rosearch.progress import Progress, silent

__all__ = ["RowJob", "run_pool"]


def run_pool(
    build: Callable[[Any], Any],
    victim: Victim,
    jobs: Sequence[RowJob],
    limits: Limits = NO_LIMITS,
    lanes: int = 64,
    prepare: Callable[[Any, RowJob], None] | None = None,
    progress: Progress = silent,
    finished: OnRow = ignored,
) -> list[AttackedRow]:
    """The rows of `jobs`, in their order; call it inside `evaluation.quality.inference`.

    `build(model)` makes a `textattack.Attack` around a wrapper of the victim, once for each lane. `prepare(attack,
    job)` is called before each row. An attack that raises ends its own row, as an `error`. Errors of the model, of
    `build` and of `prepare` go through, as do errors of the machine and KeyboardInterrupt. The seconds of `limits` are
    those that a row would take alone. The generators of `random`, NumPy and torch are restored.
    """
    if lanes < 1:
        raise ValueError(f"a pool needs at least one lane, got {lanes}")
    if not jobs:
        return []
    states = library.generators()
    try:
        free = [Lane(build, victim, limits) for _ in range(min(lanes, len(jobs)))]
        with library.remembered_words(), library.kept_histories(), _no_exception_of_cuda():
            return _run(free, victim, jobs, prepare, progress, finished)
    finally:
        library.set_generators(states)


@contextmanager
def _no_exception_of_cuda() -> Iterator[None]:
    """Inside, models of transformers 5 may ask in each pass whether a CUDA stream is captured.

    A torch built for CUDA throws at this question where there is no driver. The models catch the exception, but thrown
    in a lane's greenlet it was seen to end the process (segmentation fault, torch 2.13). Without a GPU nothing is
    captured.
    """
    if torch.cuda.is_available():
        yield
        return
    with library.replaced(torch.cuda, "is_current_stream_capturing", lambda: False):
        yield


def _run(
    free: list[Lane],
    victim: Victim,
    jobs: Sequence[RowJob],
    prepare: Callable[[Any, RowJob], None] | None,
    progress: Progress,
    finished: OnRow,
) -> list[AttackedRow]:
    rows: dict[int, AttackedRow] = {}
    waiting: list[tuple[Lane, Tokenised]] = []
    lanes = list(free)

    def went(lane: Lane, came: Tokenised | AttackedRow) -> None:
        if isinstance(came, AttackedRow):
            rows[lane.number] = came
            finished(lane.number, came)
            free.append(lane)
            progress("attack", len(rows), len(jobs))
        else:
            waiting.append((lane, came))

    left = iter(enumerate(jobs))
    try:
        while len(rows) < len(jobs):
            while free and (following := next(left, None)) is not None:
                lane = free.pop()
                if prepare is not None:
                    prepare(lane.attack, following[1])
                went(lane, lane.start(*following))
            answered, waiting = waiting, []
            for (lane, _), logits in zip(answered, _answers(victim, answered), strict=True):
                went(lane, lane.go_on(logits))
    finally:
        for lane in lanes:
            lane.end()
    return [rows[number] for number in range(len(jobs))]


def _answers(victim: Victim, waiting: Sequence[tuple[Lane, Tokenised]]) -> list[Logits]:
    """The logits for each waiting lane, by one joint scoring, whose time is divided by rows."""
    if not waiting:
        return []
    lengths = [asked[2] for _, asked in waiting]
    types = [asked[1] for _, asked in waiting if asked[1] is not None]
    start = time.perf_counter()
    ids = np.concatenate([asked[0] for _, asked in waiting])
    logits = victim.score(ids, np.concatenate(types) if types else None, np.concatenate(lengths))
    seconds = (time.perf_counter() - start) / len(logits)
    for (lane, _), asked_lengths in zip(waiting, lengths, strict=True):
        lane.spent += seconds * len(asked_lengths)
    return np.split(logits, np.cumsum([len(asked_lengths) for asked_lengths in lengths])[:-1])
