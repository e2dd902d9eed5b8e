"""The engine: all rows of a plan attacked in lockstep, each round one set of batches. Own code, TextAttack's results.

TextAttack attacks one row at a time, and asks its model for a handful of texts at each step. Here every row is a
search that waits for answers (`searches`); whenever all of them wait, their questions go to the model together.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from rosearch.evaluation.attacks.forms import Form
from rosearch.evaluation.attacks.plan import PlanRow
from rosearch.evaluation.attacks.result import NO_LIMITS, AttackedRow, Limits, Outcome
from rosearch.evaluation.attacks.searches import Answers, Encode, Found, Question, search
from rosearch.evaluation.attacks.tokens import Ids, Tokens
from rosearch.evaluation.attacks.victim import Ints, Victim
from rosearch.evaluation.attacks.walk import Query, Walk
from rosearch.progress import Progress, silent

_IN_FLIGHT = 512  # rows at once: bounds memory; results do not depend on it


@dataclass
class _Lane:
    """One row in flight. `known` and `known_ids` are what it has been told already, by text and by ids."""

    place: int
    label: int
    asking: Generator[Question, Any, Found]
    question: Question | None = None
    known: dict[str, tuple[float, bool]] = field(default_factory=dict)
    known_ids: dict[bytes, tuple[float, bool]] = field(default_factory=dict)
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
) -> list[AttackedRow]:
    """Attack rows that are not `odd`, in their order. Call it inside `evaluation.quality.inference`.

    What the search of a row raises is that row's `error`; what the model raises goes through.
    """
    waiting = deque(
        _Lane(place, label, search(row, form, tokens, limits.queries))
        for place, (row, label) in enumerate(zip(rows, labels, strict=True))
    )
    results: list[AttackedRow | None] = [None] * len(rows)
    live: list[_Lane] = []
    done = 0
    while live or waiting:
        while waiting and len(live) < in_flight:
            lane = waiting.popleft()
            live.append(lane)
            results[lane.place] = _advance(lane, None, rows[lane.place], limits)
        start = time.perf_counter()
        _encode(live, form, rows, results, limits)
        asked = [lane for lane in live if results[lane.place] is None]
        fresh = _score(asked, tokens, victim)
        share = (time.perf_counter() - start) / max(1, sum(fresh))
        for lane, count in zip(asked, fresh, strict=True):
            lane.seconds += share * count
            answers = _answers(lane)
            results[lane.place] = _advance(lane, answers, rows[lane.place], limits)
        live = [lane for lane in live if results[lane.place] is None]
        if len(rows) - len(live) - len(waiting) > done:
            done = len(rows) - len(live) - len(waiting)
            progress("attack", done, len(rows))
    return [result for result in results if result is not None]


def _advance(lane: _Lane, answer: Any, row: PlanRow, limits: Limits) -> AttackedRow | None:
    """Let a search go on to its next question; its result where that was its last."""
    if limits.seconds is not None and lane.seconds > limits.seconds:
        lane.asking.close()
        return _unfinished(lane, row, "out_of_time", "")
    try:
        lane.question = lane.asking.send(answer)
    except StopIteration as end:
        return _result(lane, row, end.value)
    except MemoryError:
        raise
    except Exception as error:
        return _unfinished(lane, row, "error", f"{type(error).__name__}: {error}")
    return None


def _encode(
    live: Iterable[_Lane],
    form: Form,
    rows: Sequence[PlanRow],
    results: list[AttackedRow | None],
    limits: Limits,
) -> None:
    """Answer questions for embeddings, jointly, until every search asks the model or has ended."""
    while lanes := [lane for lane in live if results[lane.place] is None and isinstance(lane.question, Encode)]:
        texts = [text for lane in lanes for text in lane.question.texts]  # type: ignore[union-attr]
        embeddings = form.encoder.encode(texts)
        if not isinstance(embeddings, torch.Tensor):
            embeddings = torch.tensor(embeddings)
        at = 0
        for lane in lanes:
            count = len(lane.question.texts)  # type: ignore[union-attr]
            results[lane.place] = _advance(lane, embeddings[at : at + count], rows[lane.place], limits)
            at += count


def _score(lanes: Sequence[_Lane], tokens: Tokens, victim: Victim) -> list[int]:
    """Put to the model what no lane knows yet, all in one go; how many texts were new, by lane."""
    asked: list[tuple[_Lane, str, bytes]] = []  # in the order of `ids`
    ids: list[Ids] = []
    tails: list[int] = []
    again: list[tuple[_Lane, str, bytes]] = []  # other texts of the same ids
    fresh = []
    for lane in lanes:
        before, pending = len(ids), set()
        for query in lane.question or ():
            assert isinstance(query, Query)
            if query.text in lane.known:
                continue
            lane.known[query.text] = (0.0, False)  # its place is kept: a question may hold a text twice
            row, tail = query.token_ids(tokens)
            key = row.tobytes()
            if key in lane.known_ids:
                lane.known[query.text] = lane.known_ids[key]
            elif key in pending:
                again.append((lane, query.text, key))
            else:
                pending.add(key)
                asked.append((lane, query.text, key))
                ids.append(row)
                tails.append(tail)
        fresh.append(len(ids) - before)
    if ids:
        _ask(asked, ids, tails, victim)
    for lane, text, key in again:
        lane.known[text] = lane.known_ids[key]
    return fresh


def token_types(lengths: Ints, tails: Sequence[int]) -> Ints:
    """Token types (tokens,) of rows that stand one after the other: 1 for the last `tails` tokens of each, else 0."""
    counts = np.stack([lengths - tails, np.array(tails, np.int64)], axis=1)
    types: Ints = np.repeat(np.tile(np.array([0, 1]), len(lengths)), counts.ravel())
    return types


def _ask(asked: Sequence[tuple[_Lane, str, bytes]], ids: list[Ids], tails: list[int], victim: Victim) -> None:
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    types = token_types(lengths, tails) if victim.takes_types else None
    logits = torch.from_numpy(victim.score(np.concatenate(ids), types, lengths))
    # In torch and in float32, as TextAttack: its comparisons are of these very numbers.
    probabilities = torch.softmax(logits, dim=1)
    labels = torch.tensor([lane.label for lane, _, _ in asked])
    scores = (1 - probabilities[torch.arange(len(labels)), labels]).tolist()
    flipped = (probabilities.argmax(dim=1) != labels).tolist()
    for (lane, text, key), score, flip in zip(asked, scores, flipped, strict=True):
        lane.known[text] = lane.known_ids[key] = (score, flip)


def _answers(lane: _Lane) -> Answers:
    known = [lane.known[query.text] for query in lane.question or () if isinstance(query, Query)]
    scores, flipped = zip(*known, strict=True)
    return Answers(np.array(scores, np.float32), np.array(flipped, np.bool_))


def _result(lane: _Lane, row: PlanRow, found: Found) -> AttackedRow:
    outcome: Outcome = "broken" if found.flipped else "out_of_queries" if found.exhausted else "survived"
    if found.flipped and found.queries == 1:
        outcome = "misclassified"
    walk = found.walk
    return AttackedRow(
        outcome,
        walk.columns,
        found.queries,
        len(lane.known),
        len(row.words),
        _changed(row, walk),
        found.score,
        tuple(walk.swaps),
        found.similarity,
    )


def _changed(row: PlanRow, walk: Walk) -> int:
    """AttackedText.all_words_diff: words that differ, place by place."""
    return sum(new != old for new, old in zip(walk.words, row.words, strict=False))


def _unfinished(lane: _Lane, row: PlanRow, outcome: Outcome, complaint: str) -> AttackedRow:
    first = lane.known.get("\n".join(row.texts), (0.0, False))
    kind: Outcome = "misclassified" if first[1] else outcome
    return AttackedRow(
        kind, row.texts, len(lane.known), len(lane.known), len(row.words), 0, first[0], (), None, complaint
    )
