"""One lane of the pool: an attack that waits, in the middle of its own code, for the answer of the model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from greenlet import greenlet

from rosearch.errors import machine_fault
from rosearch.evaluation.attacks.result import AttackedRow, Limits, Outcome
from rosearch.evaluation.attacks.stock import library
from rosearch.evaluation.attacks.stock.rows import attacked_text, row_of
from rosearch.evaluation.attacks.stock.wrapper import ModelWrapper
from rosearch.evaluation.attacks.victim import Logits, Tokenised, Victim


@dataclass(frozen=True)
class RowJob:
    """One row to attack. Equal seeds draw equal numbers; `payload` is for the `prepare` of `run_pool`."""

    texts: tuple[str, ...]
    label: int
    seed: int
    payload: Any = None


class _OutOfTime(BaseException):  # not an `Exception`: an attack might catch that
    pass


class Lane:
    """An attack object with its own generators and clock; it attacks one row after another.

    `start` and `go_on` run it until it asks something or has finished its row. They return the arguments of
    `Victim.score`, or the row. Errors of the model and the machine, and KeyboardInterrupt, go through.
    """

    def __init__(self, build: Callable[[Any], Any], victim: Victim, limits: Limits) -> None:
        self.number = 0  # the row's, for the pool
        self.spent = 0.0  # seconds that the row would take alone: its own time and its share of joint batches
        self._hub = greenlet.getcurrent()
        self._wrapper = ModelWrapper(victim, self._hub.switch, self._check_time)
        self.attack = build(self._wrapper)
        self._goal = self.attack.goal_function
        self._victim = victim
        self._limits = limits
        if limits.queries is not None:
            self._goal.query_budget = limits.queries
        self._run: greenlet | None = None
        self._states: library.Generators | None = None
        self._resumed = 0.0

    def start(self, number: int, job: RowJob) -> Tokenised | AttackedRow:
        """Begin a row."""
        self.number = number
        self.spent = 0.0
        self._run = greenlet(self._attack_row)
        library.seed_generators(job.seed)
        return self._switch(self._run, job)

    def go_on(self, logits: Logits) -> Tokenised | AttackedRow:
        """Continue with the answer, float32 logits (rows, labels)."""
        assert self._run is not None and self._states is not None
        library.set_generators(self._states)
        return self._switch(self._run, logits)

    def end(self) -> None:
        """Give the row up."""
        if self._run is not None and not self._run.dead:
            self._run.throw()

    def _switch(self, run: greenlet, value: Any) -> Tokenised | AttackedRow:
        self._resumed = time.perf_counter()
        asked: Tokenised | AttackedRow = run.switch(value)
        self.spent += time.perf_counter() - self._resumed
        if not run.dead:
            self._states = library.generators()
        return asked

    def _check_time(self) -> None:
        limit = self._limits.seconds
        if limit is not None and self.spent + time.perf_counter() - self._resumed > limit:
            raise _OutOfTime

    def _attack_row(self, job: RowJob) -> AttackedRow:
        self._wrapper.forget()
        self._goal.num_queries = 0
        self._goal.initial_attacked_text = None
        try:
            return self._attacked(job)
        except _OutOfTime:
            return self._given_up(job, "out_of_time", "")
        except Exception as error:
            if error is self._victim.failure or machine_fault(error):
                raise
            if self._limits.queries is not None and self._goal.num_queries >= self._limits.queries:
                return self._given_up(job, "out_of_queries", "")  # some searches raise at an empty answer
            return self._given_up(job, "error", f"{type(error).__name__}: {error}")
        finally:
            self.attack.clear_cache()  # TextAttack does not do it after a row that it skips

    def _attacked(self, job: RowJob) -> AttackedRow:
        result = self.attack.attack(attacked_text(library.loaded(), job.texts), job.label)
        return row_of(result, job.label, len(self._wrapper.asked), self._limits.queries)

    def _given_up(self, job: RowJob, outcome: Outcome, complaint: str) -> AttackedRow:
        """The row as it was; a row that was misclassified to begin with stays so, whatever came after."""
        started, distinct = self._goal.initial_attacked_text, len(self._wrapper.asked)
        if self._wrapper.first is None:
            self._wrapper([job.texts[0] if len(job.texts) == 1 else job.texts])
        logits = torch.from_numpy(self._wrapper.first[0])  # type: ignore[index]
        words = 0 if started is None else started.num_words
        score = float(1 - logits.softmax(dim=0)[job.label])
        if int(logits.argmax()) != job.label:
            return AttackedRow("misclassified", job.texts, 1, 1, words, 0, score)
        return AttackedRow(outcome, job.texts, self._goal.num_queries, distinct, words, 0, score, complaint=complaint)
