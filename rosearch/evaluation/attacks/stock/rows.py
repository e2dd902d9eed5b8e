"""Rows as TextAttack holds them: texts into an `AttackedText`, and results back into an `AttackedRow`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from rosearch.evaluation.attacks.result import AttackedRow, Outcome

# The names of a row's texts in TextAttack's own recipes; some of them change the second text only.
_COLUMNS = {1: ("text",), 2: ("premise", "hypothesis")}

_OUTCOMES: dict[str, Outcome] = {
    "SkippedAttackResult": "misclassified",
    "SuccessfulAttackResult": "broken",
    "FailedAttackResult": "survived",
    "MaximizedAttackResult": "survived",  # it never asks for another label
}


def attacked_text(textattack: Any, texts: Sequence[str]) -> Any:
    """A row of one or two texts as an `AttackedText`. Raises `ValueError` where TextAttack would cut it."""
    split = textattack.shared.AttackedText.SPLIT_TOKEN
    if any(split in text for text in texts):
        raise ValueError(f"TextAttack cuts texts at {split!r}, so it cannot attack one that has it")
    return textattack.shared.AttackedText(OrderedDict(zip(_COLUMNS[len(texts)], texts, strict=True)))


def columns_of(text: Any) -> tuple[str, ...]:
    """The one or two texts of an `AttackedText`."""
    columns = text.tokenizer_input
    return (columns,) if isinstance(columns, str) else tuple(columns)


def row_of(result: Any, label: int, distinct: int, budget: int | None) -> AttackedRow:
    """The row of a `textattack.attack_results.AttackResult` whose history was kept (`library.kept_histories`).

    A search that did not succeed and has spent its whole `budget` of queries is `out_of_queries`. Where a search
    maximises (input reduction), `changed` is the number of words that are gone.
    """
    kind = type(result).__name__
    outcome = _OUTCOMES[kind]
    if outcome == "survived" and budget is not None and result.num_queries >= budget:
        outcome = "out_of_queries"
    before, after = result.original_result.attacked_text, result.perturbed_result.attacked_text
    changed = len(before.all_words_diff(after))
    if kind == "MaximizedAttackResult":
        changed = before.num_words - after.num_words
    similarity = after.attack_attrs.get("similarity_score") if outcome == "broken" else None
    return AttackedRow(
        outcome=outcome,
        texts=columns_of(after),
        queries=result.num_queries,
        distinct=distinct,
        words=before.num_words,
        changed=changed,
        score=float(1 - result.perturbed_result.raw_output[label]),
        swaps=swaps_to(after),
        similarity=None if similarity is None else float(similarity),
    )


def swaps_to(text: Any) -> tuple[tuple[int, str], ...]:
    """The swaps that led to an `AttackedText`, in their order: the index of a word at that moment, its new words.

    One word that became several is one swap; a space joins the new words. A word that was deleted has "".
    """
    steps: list[tuple[tuple[int, str], ...]] = []
    while "previous_attacked_text" in text.attack_attrs:
        previous = text.attack_attrs["previous_attacked_text"]
        steps.append(_step(previous, text))
        text = previous
    return tuple(swap for step in reversed(steps) for swap in step)


def _step(before: Any, after: Any) -> tuple[tuple[int, str], ...]:
    changed = sorted(int(index) for index in after.attack_attrs["newly_modified_indices"])
    if len(after.words) == len(before.words):
        return tuple((index, after.words[index]) for index in changed)
    if not changed:
        first = before.first_word_diff_index(after)
        return ((len(after.words) if first is None else int(first), ""),)
    return ((changed[0], " ".join(after.words[index] for index in changed)),)
