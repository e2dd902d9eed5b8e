"""The TextAttack attacks that the engine can walk, and the settings of theirs that it needs.

An attack is known by its parts, not by its name: any attack made of the parts below is accelerated, a user's own recipe
too. Classes are known by their names, so nothing of TextAttack is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

Search = Literal["unk", "delete", "weighted-saliency", "single"]

_BEFORE = {"RepeatModification", "StopwordModification", "MinWordLength", "InputColumnModification"}
_FROZEN = {"WordEmbeddingDistance", "PartOfSpeech"}  # compare a swap with the original word, in its own context


@dataclass(frozen=True)
class Form:
    """The search of an attack, and its constraints that depend on the path.

    `search` is GreedyWordSwapWIR's ranking method, or `single`: a greedy search that may change one word only.
    """

    search: Search
    edits: int | None = None  # Levenshtein distance to the original text
    most_words: int | None = None  # number of changed words
    most_share: float | None = None  # changed words over words
    encoder: Any = None  # TextAttack's SentenceEncoder constraint, with its threshold, metric and `window_size`
    by_index: bool = False  # frozen constraints find the original word by its index
    unknown_token: str = "[UNK]"


def form_of(attack: Any) -> Form | None:
    """The form of a TextAttack attack; None where a part of it is not covered, so that it runs in the pool."""
    before = {_name(constraint) for constraint in attack.pre_transformation_constraints}
    if not (before <= _BEFORE and "RepeatModification" in before):
        return None
    if _name(attack.goal_function) != "UntargetedClassification" or attack.goal_function.target_max_score:
        return None
    if not _context_free(attack.transformation):
        return None
    return _with_constraints(attack)


def _with_constraints(attack: Any) -> Form | None:
    search = _search(attack)
    if search is None:
        return None
    edits = most_words = most_share = encoder = None
    for constraint in attack.constraints:
        if _name(constraint) in _FROZEN and constraint.compare_against_original:
            continue
        if _name(constraint) == "MaxWordsPerturbed":
            most_words, most_share = constraint.max_num_words, constraint.max_percent
        elif _name(constraint) == "LevenshteinEditDistance" and constraint.compare_against_original and edits is None:
            edits = constraint.max_edit_distance
        elif "SentenceEncoder" in _names(constraint) and encoder is None:
            encoder = constraint
        else:
            return None
    # A greedy search over all words is covered if it may change one word only: its first step is its last.
    if search == "single" and (most_words != 1 or most_share or edits is not None or encoder is not None):
        return None
    by_index = any(_name(constraint) in _FROZEN for constraint in attack.constraints)
    unknown = getattr(attack.search_method, "unk_token", "[UNK]")
    return Form(search, edits, most_words, most_share, encoder, by_index, unknown)


def _search(attack: Any) -> Search | None:
    method = attack.search_method
    if _name(method) == "GreedyWordSwapWIR" and method.truncate_words_to is None:
        for ranking in ("unk", "delete", "weighted-saliency"):
            if method.wir_method == ranking:
                return ranking
    if _name(method) in ("GreedySearch", "BeamSearch") and method.beam_width == 1:
        return "single"
    return None


def _context_free(transformation: Any) -> bool:
    """True where candidates are a function of the word: by WordSwap's own loop over `_get_replacement_words`."""
    if _name(transformation) == "CompositeTransformation":
        return all(map(_context_free, transformation.transformations))
    of_swaps = [kind for kind in type(transformation).__mro__ if kind.__name__ == "WordSwap"]
    return bool(of_swaps) and _loop(type(transformation)) is _loop(of_swaps[0])


def _loop(kind: Any) -> Any:
    return kind._get_transformations


@contextmanager
def frozen_constraints(attack: Any, form: Form) -> Iterator[None]:
    """Inside, the attack has only the constraints whose verdict on a swap no other swap can change."""
    constraints = attack.constraints
    frozen = _FROZEN | ({"MaxWordsPerturbed"} if form.search == "single" else set())
    attack.constraints = [constraint for constraint in constraints if _name(constraint) in frozen]
    try:
        yield
    finally:
        attack.constraints = constraints
        attack.clear_cache()  # verdicts of fewer constraints must not stay


def _names(thing: Any) -> list[str]:
    return [kind.__name__ for kind in type(thing).__mro__]


def _name(thing: Any) -> str:
    """The name of the TextAttack class, even where a class of ours stands in for it."""
    kinds = [kind for kind in type(thing).__mro__ if kind.__module__.startswith("textattack.")]
    return kinds[0].__name__ if kinds else type(thing).__name__
