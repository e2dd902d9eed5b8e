"""The oracle of the engine's tests: stock TextAttack, driven by a frozen plan, asking the same model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch

from rosearch.evaluation.attacks.engine.plan import PlanRow
from rosearch.evaluation.attacks.result import NO_LIMITS, AttackedRow, Limits
from rosearch.evaluation.attacks.stock.library import kept_histories, remembered_words
from rosearch.evaluation.attacks.stock.rows import attacked_text, row_of
from rosearch.evaluation.attacks.victim import Ints, Logits, Victim

SCORE = 2e-5


class SteadyVictim(Victim):
    """A victim that gives equal token ids the very same logits in any batch."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._known: dict[bytes, Any] = {}

    def score(self, ids: Ints, types: Ints | None, lengths: Ints) -> Logits:
        ends = np.cumsum(lengths)
        spans = [slice(end - length, end) for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)]
        keys = [ids[span].tobytes() + (b"" if types is None else types[span].tobytes()) for span in spans]
        fresh: dict[bytes, int] = {}
        for row, key in enumerate(keys):
            if key not in self._known:
                fresh.setdefault(key, row)
        if fresh:
            rows = list(fresh.values())
            chosen = np.concatenate([ids[spans[row]] for row in rows])
            kinds = None if types is None else np.concatenate([types[spans[row]] for row in rows])
            self._known.update(zip(fresh, super().score(chosen, kinds, lengths[rows]), strict=True))
        return np.stack([self._known[key] for key in keys])


class _Asked:
    """The victim as TextAttack sees it, which remembers what it was asked."""

    def __init__(self, victim: Victim) -> None:
        self.model = victim.model
        self.victim = victim
        self.texts: set[Any] = set()

    def __call__(self, texts: Sequence[Any]) -> torch.Tensor:
        self.texts.update(texts)
        return self.victim(texts)


def planned_attack(textattack: Any, attack: Any) -> Any:
    """The same goal, constraints and search with the candidates of a plan, so that nothing is random any more."""
    constraints = [*attack.constraints, *attack.pre_transformation_constraints]
    return textattack.Attack(attack.goal_function, constraints, _planned_swap(textattack)(), attack.search_method)


def stock_rows(
    textattack: Any,
    attack: Any,
    rows: Sequence[PlanRow],
    victim: Victim,
    labels: Sequence[int],
    limits: Limits = NO_LIMITS,
) -> list[AttackedRow]:
    """The outcomes of planned rows under TextAttack, one after the other."""
    planned = planned_attack(textattack, attack)

    def prepare(row: PlanRow) -> None:
        planned.transformation.row = row

    return _run(textattack, planned, rows, victim, labels, limits, prepare)


def untouched_rows(
    textattack: Any, attack: Any, rows: Sequence[PlanRow], victim: Victim, labels: Sequence[int]
) -> list[AttackedRow]:
    """The outcomes of the rows' texts under the recipe itself, without a plan: for recipes that draw nothing."""
    return _run(textattack, attack, rows, victim, labels, NO_LIMITS, lambda row: None)


def _run(
    textattack: Any,
    attack: Any,
    rows: Sequence[PlanRow],
    victim: Victim,
    labels: Sequence[int],
    limits: Limits,
    prepare: Callable[[PlanRow], None],
) -> list[AttackedRow]:
    asked = _Asked(victim)
    goal = attack.goal_function
    kept, goal.model = goal.model, asked
    budget, goal.query_budget = goal.query_budget, float("inf") if limits.queries is None else limits.queries
    done = []
    try:
        with remembered_words(), kept_histories():
            for row, label in zip(rows, labels, strict=True):
                asked.texts = set()
                prepare(row)
                attack.clear_cache()
                done.append(_attacked(textattack, attack, row, label, asked, limits))
    finally:
        goal.model, goal.query_budget = kept, budget
        attack.clear_cache()
    return done


def _attacked(textattack: Any, attack: Any, row: PlanRow, label: int, asked: _Asked, limits: Limits) -> AttackedRow:
    try:
        result = attack.attack(attacked_text(textattack, row.texts), label)
    except ValueError as error:
        # A beam search takes the best of no answers when the budget is spent: it goes no further.
        assert limits.queries is not None and "argmax of an empty sequence" in str(error)
        score = float(1 - asked([row.texts[0] if len(row.texts) == 1 else row.texts]).softmax(dim=1)[0, label])
        return AttackedRow("out_of_queries", row.texts, limits.queries, 1, len(row.words), 0, score)
    return row_of(result, label, len(asked.texts), limits.queries)


@cache
def _planned_swap(textattack: Any) -> type:
    class PlannedSwap(textattack.transformations.WordSwap):  # type: ignore[misc,name-defined]
        """Replaces words by the candidates of a plan."""

        row: PlanRow

        def _get_transformations(self, current_text: Any, indices_to_modify: Any) -> list[Any]:
            made = []
            for index in indices_to_modify:
                made += [current_text.replace_word_at_index(index, word) for word in self._of(current_text, index)]
            return made

        def _of(self, current_text: Any, index: int) -> tuple[str, ...]:
            """The candidates of the word that stands at `index` now: swaps may have moved it."""
            for original in np.flatnonzero(current_text.attack_attrs["original_index_map"] == index):
                if current_text.words[index] == self.row.words[original]:
                    return self.row.candidates[original]
            return ()

    return PlannedSwap


def differences(mine: Sequence[AttackedRow], stock: Sequence[AttackedRow], rows: Sequence[PlanRow]) -> list[str]:
    """One line for each row that is not equal: outcome, texts, queries, distinct, words, changed, swaps, score."""
    assert len(mine) == len(stock) == len(rows)
    told = []
    for place, (own, theirs, row) in enumerate(zip(mine, stock, rows, strict=True)):
        near = abs(own.score - theirs.score) <= SCORE and _alike(own.similarity, theirs.similarity)
        if not near or _exact(own, row) != _exact(theirs, row):
            told.append(f"row {place} {row.texts!r}: engine {own}, TextAttack {theirs}")
    return told


def _alike(one: float | None, other: float | None) -> bool:
    return one == other if one is None or other is None else abs(one - other) <= SCORE


def _exact(attacked: AttackedRow, row: PlanRow) -> AttackedRow:
    """Without the scores. A swap's words stand for it: TextAttack's history has them, not the candidate itself."""
    swaps = tuple((index, " ".join(row.parts.get(new, (new,)))) for index, new in attacked.swaps)
    return replace(attacked, score=0.0, similarity=None, swaps=swaps)
