"""TextAttack's searches over a compiled plan, one row at a time, as generators that yield their questions.

`lockstep` runs many of them side by side and answers their questions in joint batches. Each search asks for the same
texts in the same order as TextAttack, ties and counts included. It follows, line by line, TextAttack 0.3.11's
`search_methods/greedy_word_swap_wir.py`, `beam_search.py` and `goal_functions/goal_function.py`.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from Levenshtein import distance

from rosearch.evaluation.attacks.engine.plan import PlanRow
from rosearch.evaluation.attacks.engine.tokens import Tokens
from rosearch.evaluation.attacks.engine.walk import Query, SplitText, Walk, words_around
from rosearch.evaluation.attacks.stock.forms import Form

Scores = np.ndarray[tuple[int], np.dtype[np.float32]]


class Answers(NamedTuple):
    """Answers to n queries: 1 - p(label), and True where another class is predicted."""

    scores: Scores
    flipped: Sequence[bool]


class Embed(NamedTuple):
    """Texts whose sentence embeddings (n, width) are wanted."""

    texts: list[str]


Question = list[Query] | Embed
Asking = Generator[Question, Any, Any]


@dataclass(frozen=True)
class Found:
    """The end of a search. `walk` holds the final text."""

    walk: Walk
    score: float
    flipped: bool
    queries: int
    exhausted: bool  # the query budget ended the search
    similarity: float | None = None


class _Budget:
    """Counts queries as TextAttack does, and drops those over the budget."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.used = 0

    def over(self) -> bool:
        return self.used == self.most

    def ask(self, queries: list[Query]) -> Generator[Question, Any, Answers]:
        if self.most is not None:
            queries = queries[: self.most - self.used]
        self.used += len(queries)
        if not queries:
            return Answers(np.zeros(0, np.float32), ())
        answers: Answers = yield queries
        return answers


def search(row: PlanRow, form: Form, tokens: Tokens, budget: int | None) -> Generator[Question, Any, Found]:
    """The whole attack on one row; if the first answer is flipped, the row was misclassified."""
    walk, spent = Walk(row, tokens), _Budget(budget)
    first = yield from spent.ask([walk.of_columns(row.texts)])
    score, flipped = float(first.scores[0]), bool(first.flipped[0])
    if flipped:
        return Found(walk, score, flipped, spent.used, False)
    start = Found(walk, score, flipped, spent.used, spent.over())
    found: Found = yield from (_single if form.search == "single" else _greedy)(walk, form, spent, start)
    return found


def _single(walk: Walk, form: Form, spent: _Budget, start: Found) -> Generator[Question, Any, Found]:
    """Ask for every allowed swap once; take the best, whether it helps or not, as a beam of one does."""
    row = walk.row
    if not row.firsts or spent.over():
        return start
    queries = [walk.query(word, row.candidates[word][place]) for word, place in row.firsts]
    answers = yield from spent.ask(queries)
    best = int(answers.scores.argmax())
    word, place = row.firsts[best]
    walk.take(word, row.candidates[word][place])
    flipped = bool(answers.flipped[best])
    return Found(walk, float(answers.scores[best]), flipped, spent.used, spent.over() and not flipped)


def _greedy(walk: Walk, form: Form, spent: _Budget, start: Found) -> Generator[Question, Any, Found]:
    """GreedyWordSwapWIR: the most important word first; its best swap is kept if it raises the score."""
    order = yield from _ranked(walk, form, spent)
    limits = _Limits(walk, form)
    score = start.score
    for slot in order:
        if spent.over():
            break
        candidates = yield from limits.allowed(slot)
        if not candidates.words:
            continue
        word = walk.slots[slot]
        answers = yield from spent.ask([walk.query(word, candidate) for candidate in candidates.words])
        best = int(answers.scores.argmax())
        if not answers.scores[best] > score:
            continue
        score = float(answers.scores[best])
        flipped = bool(answers.flipped[best])
        if flipped:
            best = _most_similar(answers, candidates.similarities)
            score = float(answers.scores[best])
        limits.take(slot, candidates.words[best])
        if flipped:
            return Found(walk, score, True, spent.used, False, candidates.similarity(best))
    return Found(walk, score, False, spent.used, spent.over())


def _most_similar(answers: Answers, similarities: np.ndarray[Any, Any] | None) -> int:
    """The nearest in meaning of the swaps that flip the class, by score down to the first that does not flip it."""
    best = int(answers.scores.argmax())
    if similarities is None:
        return best
    highest = -math.inf
    for place in np.argsort(-answers.scores, kind="stable"):
        if not answers.flipped[place]:
            break
        if similarities[place] > highest:
            highest, best = similarities[place], int(place)
    return best


def _ranked(walk: Walk, form: Form, spent: _Budget) -> Generator[Question, Any, list[int]]:
    """The words of `row.order`, most important first."""
    row = walk.row
    order = np.array(row.order, np.int64)
    answers = yield from spent.ask([walk.of_columns(columns) for columns in row.left_out])
    importance: np.ndarray[Any, Any] = answers.scores
    if form.search == "weighted-saliency":
        saliency = torch.softmax(torch.from_numpy(answers.scores), dim=0).numpy()
        importance = saliency * np.array((yield from _best_swaps(walk, form, spent, len(saliency))))
    # Not a stable sort, and of these very types: ties must fall as in TextAttack.
    return [int(word) for word in order[(-importance).argsort()]]


def _best_swaps(walk: Walk, form: Form, spent: _Budget, count: int) -> Generator[Question, Any, list[Any]]:
    """PWWS: the highest score that a swap of each word alone reaches."""
    limits = _Limits(walk, form)
    allowed = []
    for word in walk.row.order:
        allowed.append((yield from limits.allowed(word)))
    # TextAttack asks word by word. Asked at once, the texts, their number and the cut by the budget are the same.
    queries = [
        walk.query(word, candidate)
        for word, candidates in zip(walk.row.order, allowed, strict=True)
        for candidate in candidates.words
    ]
    answers = yield from spent.ask(queries)
    best: list[Any] = []
    at = 0
    for candidates in allowed:
        scores = answers.scores[at : at + len(candidates.words)]
        at += len(candidates.words)
        best.append(scores.max() if len(scores) else 0.0)
    return best[:count]


@dataclass(frozen=True)
class _Candidates:
    words: tuple[str, ...]
    similarities: np.ndarray[Any, Any] | None = None

    def similarity(self, place: int) -> float | None:
        return None if self.similarities is None else float(self.similarities[place])


_NONE = _Candidates(())


class _Limits:
    """The constraints on the path: the candidates that they allow, and their memory of the path."""

    def __init__(self, walk: Walk, form: Form) -> None:
        self.walk = walk
        self.form = form
        self.original = "\n".join(walk.row.texts)
        self.limited = any(limit is not None for limit in (form.most_words, form.most_share, form.edits))
        self.edits = 0  # the sum over the swaps; the true distance is at most this

    def allowed(self, slot: int) -> Generator[Question, Any, _Candidates]:
        walk = self.walk
        if slot >= len(walk.slots) or walk.slots[slot] < 0:
            return _NONE
        word = walk.slots[slot]
        words = walk.row.candidates[word]
        if word in walk.row.unsorted:
            words = tuple(sorted(words, key=lambda candidate: walk.swapped(word, candidate)))
        if self.limited:
            words = tuple(new for new in words if self._few_words(slot, new) and self._few_edits(slot, new))
        if self.form.encoder is None or not words:
            return _Candidates(words)
        similarities = yield from self._similarities(slot, words)
        near = similarities >= self.form.encoder.threshold
        return _Candidates(tuple(new for new, keep in zip(words, near, strict=True) if keep), similarities[near])

    def take(self, slot: int, candidate: str) -> None:
        if self.form.edits is not None:
            self.edits += distance(self.walk.words[slot], candidate)
        self.walk.take(slot, candidate)

    def _few_edits(self, slot: int, candidate: str) -> bool:
        if self.form.edits is None:
            return True
        # The sum of the swaps' distances is cheap, and never below the distance of the texts.
        if self.edits + distance(self.walk.words[slot], candidate) <= self.form.edits:
            return True
        text = self.walk.swapped(self.walk.slots[slot], candidate)
        return distance(self.original, text, score_cutoff=self.form.edits) <= self.form.edits

    def _few_words(self, slot: int, candidate: str) -> bool:
        if self.form.most_words is None and self.form.most_share is None:
            return True
        words, original = self._words_with(slot, candidate), self.walk.row.words
        changed = sum(new != old for new, old in zip(words, original, strict=False))
        most = math.ceil(min(len(words), len(original)) * (self.form.most_share or 0.0))
        if self.form.most_share and changed > most:
            return False
        return not self.form.most_words or changed <= self.form.most_words

    def _words_with(self, slot: int, candidate: str) -> list[str]:
        words = self.walk.words
        return [*words[:slot], *self.walk.parts(candidate), *words[slot + 1 :]]

    def _similarities(self, slot: int, words: Sequence[str]) -> Generator[Question, Any, np.ndarray[Any, Any]]:
        """As SentenceEncoder scores them: the words around the swap, in the text before and in the text after."""
        encoder, walk = self.form.encoder, self.walk
        before = SplitText(walk.text, walk.words)
        if encoder.compare_against_original:
            before = SplitText(self.original, walk.row.words)
        starting, swapped, short = [], [], []
        for candidate in words:
            after = SplitText(walk.swapped(walk.slots[slot], candidate), self._words_with(slot, candidate))
            # TextAttack takes the index that its set of changed ones gives first.
            changed = next(iter({slot + part for part in range(len(walk.parts(candidate)))}))
            starting.append(words_around(before, changed, encoder.window_size))
            swapped.append(words_around(after, changed, encoder.window_size))
            short.append(encoder.skip_text_shorter_than_window and len(after.words) < encoder.window_size)
        embeddings = yield Embed(starting + swapped)
        scores = encoder.sim_metric(embeddings[: len(words)], embeddings[len(words) :])
        scores[torch.tensor(short)] = 1
        values: np.ndarray[Any, Any] = scores.cpu().numpy()
        return values
