"""The distance of a model from breaking, without a search: every single swap of a plan, in one fixed set of batches.

The texts are the same for every model of a vocabulary; no answer decides the next text. This still tells students apart
where accuracy under attack is near its floor for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rosearch.errors import BadInput, Problem
from rosearch.evaluation.attacks.engine.lockstep import token_types
from rosearch.evaluation.attacks.engine.tokens import Ids, Tokens, from_bytes, tokens_of
from rosearch.evaluation.attacks.engine.walk import Query, Walk
from rosearch.evaluation.attacks.passes.lean import lean_passes
from rosearch.evaluation.attacks.prepared import PreparedAttack, learn_plan
from rosearch.evaluation.attacks.victim import Ints, Victim
from rosearch.evaluation.intervals import mean_interval, wilson
from rosearch.measurements import LARGEST_MARGIN, SingleSwaps

Margins = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class _Swaps:
    """All texts as token ids, one after the other, and the row of each text."""

    ids: Ints
    types: Ints | None
    lengths: Ints
    rows: Ints


def measure_single_swaps(attack: PreparedAttack, victim: Victim, labels: Sequence[int]) -> SingleSwaps:
    """The worst case over all single swaps of an attack's plan. Call it inside `evaluation.quality.inference`.

    Raises as `single_swap_margins` does.
    """
    start = time.perf_counter()
    margins, texts = single_swap_margins(attack, victim, labels)
    return SingleSwaps(
        attack.recipe.name,
        len(margins),
        int(texts.sum()),
        wilson(int((margins > 0).sum()), len(margins)),
        mean_interval(margins.tolist(), (-LARGEST_MARGIN, LARGEST_MARGIN)),
        time.perf_counter() - start,
    )


def single_swap_margins(attack: PreparedAttack, victim: Victim, labels: Sequence[int]) -> tuple[Margins, Ints]:
    """Each row's smallest margin (rows,), and the number of its texts that were scored (rows,).

    The margin of a text is logit(true) - largest other logit, clipped to -4..4 (`LARGEST_MARGIN`). Rows without a plan
    (`odd`) count with their original text alone. Raises `BadInput` where the attack has no plan, or a constraint by a
    sentence encoder.
    """
    if attack.plan is None or attack.form is None or attack.form.encoder is not None:
        expected = "an attack whose candidates depend on the word alone, such as deepwordbug or synonym-swap"
        raise BadInput(Problem("attack", "single_swaps", expected, attack.recipe.name))
    swaps = _swaps(attack, tokens_of(victim))
    with lean_passes(victim, attack.texts):
        logits = victim.score(swaps.ids, swaps.types, swaps.lengths).astype(np.float64)
    truth = np.asarray(labels, np.int64)[swaps.rows]
    of_truth = logits[np.arange(len(truth)), truth]
    logits[np.arange(len(truth)), truth] = -np.inf
    margins = np.clip(of_truth - logits.max(axis=1), -LARGEST_MARGIN, LARGEST_MARGIN)
    smallest = np.full(len(attack.texts), np.inf)
    np.minimum.at(smallest, swaps.rows, margins)
    return smallest, np.bincount(swaps.rows, minlength=len(smallest))


def _swaps(attack: PreparedAttack, tokens: Tokens) -> _Swaps:
    """The originals and all their swaps; texts with equal ids count once a row."""
    assert attack.plan is not None
    learn_plan(tokens, attack.plan)
    ids: list[Ids] = []
    tails: list[int] = []
    rows: list[int] = []
    for place, row in enumerate(attack.plan.rows):
        seen = set()
        for query in _queries(Walk(row, tokens)):
            made, tail = query.token_ids(tokens)
            if made not in seen:
                seen.add(made)
                ids.append(made)
                tails.append(tail)
                rows.append(place)
    joined, lengths = from_bytes(ids)
    types = token_types(lengths, tails) if tokens.takes_types else None
    return _Swaps(joined, types, lengths, np.array(rows, np.int64))


def _queries(walk: Walk) -> list[Query]:
    row = walk.row
    swaps = [(word, candidate) for word, candidates in enumerate(row.candidates) for candidate in candidates]
    return [walk.of_columns(row.texts), *(walk.query(word, candidate) for word, candidate in swaps)]
