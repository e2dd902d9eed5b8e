"""The engine: all rows of a plan attacked in lockstep, each round one set of batches. Own code, TextAttack's results.

TextAttack attacks one row at a time and asks its model for a handful of texts at each step. Here every row is a search
that waits for answers (`searches`). Whenever all of them wait, their questions go to the model together.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from rosearch.errors import machine_fault
from rosearch.evaluation.attacks.engine.plan import PlanRow
from rosearch.evaluation.attacks.engine.searches import Answers, Embed, Found, Question, search
from rosearch.evaluation.attacks.engine.tokens import Ids, Tokens, from_bytes
from rosearch.evaluation.attacks.engine.walk import Query, Walk
from rosearch.evaluation.attacks.passes.lean import lean_passes
from rosearch.evaluation.attacks.result import NO_LIMITS, AttackedRow, Limits, OnRow, Outcome, ignored
from rosearch.evaluation.attacks.stock.forms import Form
from rosearch.evaluation.attacks.victim import Ints, Victim
from rosearch.progress import Progress, silent

_IN_FLIGHT = 512  # rows at once: bounds memory; results do not depend on it


@dataclass
class _Lane:
    """One row in flight. `known` and `known_ids` are the answers that it has got, by text and by ids."""

    row: PlanRow
    label: int
    asking: Generator[Question, Any, Found]
    question: Question | None = None
    number: int = 0  # its place among the rows that `run_engine` was given
    result: AttackedRow | None = None
    queries: int = 0
    known: dict[str, tuple[float, bool]] = field(default_factory=dict)
    known_ids: dict[Ids, tuple[float, bool]] = field(default_factory=dict)
    seconds: float = 0.0


def run_engine(
    rows: Sequence[PlanRow],
    form: Form,
    tokens: Tokens,
    victim: Victim,
    labels: Sequence[int],
    limits: Limits = NO_LIMITS,
    in_flight: int = _IN_FLIGHT,
    progress: Progress = silent,
    finished: OnRow = ignored,
) -> list[AttackedRow]:
    """Attack rows that are not `odd`, in their order. Call it inside `evaluation.quality.inference`.

    `finished` is told the number and the outcome of each row as it ends.

    An error of a row's search is that row's `error`; an error of the model goes through.
    """
    lanes = [
        _Lane(row, label, search(row, form, tokens, limits.queries), number=number)
        for number, (row, label) in enumerate(zip(rows, labels, strict=True))
    ]
    with lean_passes(victim, [row.texts for row in rows]):
        _walk(lanes, form, tokens, victim, limits, in_flight, progress, finished)
    return [lane.result for lane in lanes if lane.result is not None]


def _walk(
    lanes: Sequence[_Lane],
    form: Form,
    tokens: Tokens,
    victim: Victim,
    limits: Limits,
    in_flight: int,
    progress: Progress,
    finished: OnRow,
) -> None:
    """Run all searches to their ends, `in_flight` at once."""
    waiting, live, done = deque(lanes), list[_Lane](), 0
    progress("attack", 0, len(lanes))  # the first row may take minutes: all in flight end together
    while live or waiting:
        while waiting and len(live) < in_flight:
            live.append(waiting.popleft())
            _advance(live[-1], None, limits)
        start = time.perf_counter()
        _embed(live, form, limits)
        asked = [lane for lane in live if lane.result is None]
        fresh = _score(asked, tokens, victim)
        share = (time.perf_counter() - start) / max(1, sum(fresh))
        for lane, count in zip(asked, fresh, strict=True):
            lane.seconds += share * count
            if lane.result is None:
                _advance(lane, _answers(lane), limits)
        for lane in live:
            if lane.result is not None:
                finished(lane.number, lane.result)
        live = [lane for lane in live if lane.result is None]
        if len(lanes) - len(live) - len(waiting) > done:
            done = len(lanes) - len(live) - len(waiting)
            progress("attack", done, len(lanes))


def _advance(lane: _Lane, answer: Any, limits: Limits) -> None:
    """Let a search go on to its next question, or to its end."""
    if limits.seconds is not None and lane.seconds > limits.seconds:
        lane.asking.close()
        lane.result = _unfinished(lane, "out_of_time", "")
        return
    try:
        lane.question = lane.asking.send(answer)
    except StopIteration as end:
        lane.result = _result(lane, end.value)
    except Exception as error:
        _fail(lane, error)


def _fail(lane: _Lane, error: Exception) -> None:
    """Ends the search of a row with its error. Raises it where it is the machine's: no row is to blame for that."""
    if machine_fault(error):
        raise error
    lane.result = _unfinished(lane, "error", f"{type(error).__name__}: {error}")


def _embed(live: Iterable[_Lane], form: Form, limits: Limits) -> None:
    """Answer questions for embeddings together, until every search asks the model or has ended."""
    while lanes := [lane for lane in live if lane.result is None and isinstance(lane.question, Embed)]:
        questions = [lane.question.texts for lane in lanes if isinstance(lane.question, Embed)]
        with suppress(Exception):  # the loop below finds the row whose text raises
            form.encoder.encode([text for texts in questions for text in texts])  # it remembers all embeddings
        for lane, texts in zip(lanes, questions, strict=True):
            try:
                embeddings = torch.as_tensor(form.encoder.encode(texts))
            except Exception as error:
                _fail(lane, error)
            else:
                _advance(lane, embeddings, limits)


def _score(lanes: Sequence[_Lane], tokens: Tokens, victim: Victim) -> list[int]:
    """Score all texts that no lane knows yet together; gives the number of new texts by lane."""
    new = _New([], [], [], [])
    fresh = []
    for lane in lanes:
        before = len(new.ids)
        try:
            _collect(lane, tokens, new)
        except Exception as error:  # the tokenizer's
            _fail(lane, error)
        fresh.append(len(new.ids) - before)
    if new.ids:
        _ask(new, victim)
    for lane, text, ids in new.again:
        lane.known[text] = lane.known_ids[ids]
    return fresh


class _New(NamedTuple):
    """Texts to score, in one order: lane and text, ids, tails; `again` are other texts with the same ids."""

    asked: list[tuple[_Lane, str]]
    ids: list[Ids]
    tails: list[int]
    again: list[tuple[_Lane, str, Ids]]


def _collect(lane: _Lane, tokens: Tokens, new: _New) -> None:
    """Add the texts that a lane asks for and does not know, neither by text nor by ids."""
    pending: set[Ids] = set()
    for query in lane.question or ():
        assert isinstance(query, Query)
        lane.queries += 1
        if query.text in lane.known:
            continue
        ids, tail = query.token_ids(tokens)
        lane.known[query.text] = (0.0, False)  # a place-holder: a question may hold a text twice
        if ids in lane.known_ids:
            lane.known[query.text] = lane.known_ids[ids]
        elif ids in pending:
            new.again.append((lane, query.text, ids))
        else:
            pending.add(ids)
            new.asked.append((lane, query.text))
            new.ids.append(ids)
            new.tails.append(tail)


def token_types(lengths: Ints, tails: Sequence[int]) -> Ints:
    """Token types (tokens,) of rows that stand one after the other: 1 for the last `tails` tokens of each, else 0."""
    counts = np.stack([lengths - tails, np.array(tails, np.int64)], axis=1)
    types: Ints = np.repeat(np.tile(np.array([0, 1]), len(lengths)), counts.ravel())
    return types


def _ask(new: _New, victim: Victim) -> None:
    ids, lengths = from_bytes(new.ids)
    types = token_types(lengths, new.tails) if victim.takes_types else None
    logits = torch.from_numpy(victim.score(ids, types, lengths))
    # In torch and in float32, as TextAttack: its comparisons are of these very numbers.
    probabilities = torch.softmax(logits, dim=1)
    labels = torch.tensor([lane.label for lane, _ in new.asked])
    scores = (1 - probabilities[torch.arange(len(labels)), labels]).tolist()
    flipped = (probabilities.argmax(dim=1) != labels).tolist()
    for (lane, text), ids_of, answer in zip(new.asked, new.ids, zip(scores, flipped, strict=True), strict=True):
        lane.known[text] = lane.known_ids[ids_of] = answer


def _answers(lane: _Lane) -> Answers:
    known = [lane.known[query.text] for query in lane.question or () if isinstance(query, Query)]
    scores, flipped = zip(*known, strict=True)
    return Answers(np.array(scores, np.float32), flipped)


def _result(lane: _Lane, found: Found) -> AttackedRow:
    outcome: Outcome = "broken" if found.flipped else "out_of_queries" if found.exhausted else "survived"
    if found.flipped and found.queries == 1:
        outcome = "misclassified"
    walk = found.walk
    return AttackedRow(
        outcome,
        walk.columns,
        found.queries,
        len(lane.known),
        len(walk.row.words),
        _changed(walk),
        found.score,
        tuple(walk.swaps),
        found.similarity,
    )


def _changed(walk: Walk) -> int:
    """AttackedText.all_words_diff: words that differ, place by place."""
    return sum(new != old for new, old in zip(walk.words, walk.row.words, strict=False))


def _unfinished(lane: _Lane, outcome: Outcome, complaint: str) -> AttackedRow:
    """The row as it was; a row that was misclassified to begin with stays so, whatever came after."""
    row, distinct = lane.row, len(lane.known)
    score, flipped = lane.known.get("\n".join(row.texts), (0.0, False))
    kind: Outcome = "misclassified" if flipped else outcome
    return AttackedRow(kind, row.texts, lane.queries, distinct, len(row.words), 0, score, complaint=complaint)
