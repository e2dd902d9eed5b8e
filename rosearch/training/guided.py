"""Replacements chosen by a gradient: the candidates that raise a student's loss most, to first order.

The estimate is HotFlip's (Ebrahimi et al. 2018, arXiv 1712.06751), for whole words in place of single characters:
(E[candidate] - E[word]) . dL/dE[word], where E is the mean vector of a word's pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rosearch.training.method import Text
from rosearch.training.text_sources import Word, WordSource, open_to_change, replaced, words_of

_REMEMBERED = 2**18

Ids = np.ndarray[Any, np.dtype[np.int64]]


@dataclass
class _Swaps:
    """Replaceable words of all rows, one entry per word, and their candidates, one entry per candidate."""

    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)  # tokens of the word in its row
    of: list[int] = field(default_factory=list)  # index of the word of each candidate
    candidates: list[str] = field(default_factory=list)


class Guide:
    """Chooses replacements by a gradient. A row must consist of the pieces of its words to be guided."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._pieces: dict[str, Ids] = {}

    def perturb(
        self,
        texts: Sequence[Text],
        ids: Ids,
        gradient: Tensor,
        embed: nn.Module,
        source: WordSource,
        share: float,
        rng: np.random.Generator,
    ) -> list[Text | None]:
        """Each row of `texts` with its most harmful words replaced; None for a row that cannot be guided.

        `ids` (B, T) are the token ids that the student read, `gradient` (B, T, R) is that of its loss with respect to
        the vectors that `embed` gives them. The number of replaced words is drawn from 1 to share x words.
        """
        swaps = _Swaps()
        counts = [self._collect(row, text, ids[row], source, swaps) for row, text in enumerate(texts)]
        best: dict[int, list[tuple[float, int, str]]] = {}
        for word, gain, candidate in self._best(swaps, ids, gradient, embed):
            best.setdefault(swaps.rows[word], []).append((gain, word, candidate))
        made: list[Text | None] = []
        for row, text in enumerate(texts):
            if row not in best:
                made.append(None)
                continue
            most = max(1, round(share * counts[row]))
            chosen = sorted(best[row], reverse=True)[: int(rng.integers(1, most + 1))]
            made.append(_swapped(text, chosen, swaps))
        return made

    def _collect(self, row: int, text: Text, ids: Ids, source: WordSource, swaps: _Swaps) -> int:
        """Adds the words of a row that have candidates to `swaps`; returns the number of words open to change."""
        found, spans = [], []
        place, total = 1, 0  # place 0 is the first special token
        for column, part in enumerate(text):
            words = words_of(part)
            total += len(open_to_change(words))
            ends = [0, *(end for word in words for end in (word.start, word.end)), len(part)]
            pieces = [self._of(part[start:end]) for start, end in pairwise(ends)]
            starts = list(accumulate(map(len, pieces), initial=place))
            joined = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
            if not np.array_equal(joined, ids[place : place + len(joined)]):
                return total  # the text was cut, or its pieces depend on their context
            for index, word in enumerate(words):
                found.append((column, word))
                spans.append((starts[2 * index + 1], starts[2 * index + 2]))
            place += len(joined) + 1  # the special token between two texts
        for (column, word), span in zip(found, spans, strict=True):
            candidates = source.candidates(word.word) if open_to_change([word]) else ()
            if candidates and span[1] > span[0]:
                swaps.of += [len(swaps.words)] * len(candidates)
                swaps.candidates += candidates
                swaps.rows.append(row)
                swaps.columns.append(column)
                swaps.words.append(word)
                swaps.spans.append(span)
        return total

    @torch.no_grad()
    def _best(self, swaps: _Swaps, ids: Ids, gradient: Tensor, embed: nn.Module) -> list[tuple[int, float, str]]:
        """(word, gain, candidate) for the most harmful candidate of each word, if its gain in loss is positive."""
        if not swaps.words:
            return []
        rows = np.array(swaps.rows)
        spans = np.array(swaps.spans)
        own = [ids[row, start:end] for row, (start, end) in zip(rows, spans, strict=True)]
        slopes = torch.stack(
            [gradient[row, start:end].sum(0) for row, (start, end) in zip(swaps.rows, swaps.spans, strict=True)]
        ).float()
        of = torch.tensor(swaps.of, device=slopes.device)
        others = [self._of(candidate) for candidate in swaps.candidates]
        moved = _mean_vectors(others, embed) - _mean_vectors(own, embed)[of]
        gains = (moved * slopes[of]).sum(-1).cpu().numpy()
        order = np.lexsort((-gains, np.array(swaps.of)))
        firsts = order[np.unique(np.array(swaps.of)[order], return_index=True)[1]]
        return [(swaps.of[at], float(gains[at]), swaps.candidates[at]) for at in firsts.tolist() if gains[at] > 0]

    def _of(self, segment: str) -> Ids:
        """The ids of a segment that is tokenised alone."""
        found = self._pieces.get(segment)
        if found is None:
            if len(self._pieces) >= _REMEMBERED:
                self._pieces.clear()
            made = self.tokenizer(segment, add_special_tokens=False, verbose=False)["input_ids"] if segment else []
            found = self._pieces[segment] = np.array(made, np.int64)
        return found


def _mean_vectors(pieces: Sequence[Ids], embed: nn.Module) -> Tensor:
    """(n, R): the mean vector of each sequence of ids; 0 for an empty one."""
    device = next(embed.parameters()).device
    lengths = np.array([len(part) for part in pieces])
    ids = torch.from_numpy(np.concatenate([*pieces, np.zeros(0, np.int64)]).astype(np.int64)).to(device)
    vectors = embed(ids.unsqueeze(0)).squeeze(0).float()
    of = torch.from_numpy(np.repeat(np.arange(len(pieces)), lengths)).to(device)
    sums = torch.zeros(len(pieces), vectors.shape[-1], device=device).index_add_(0, of, vectors)
    return sums / torch.from_numpy(np.maximum(lengths, 1)).to(device).unsqueeze(-1)


def _swapped(text: Text, chosen: Sequence[tuple[float, int, str]], swaps: _Swaps) -> Text:
    parts = []
    for column, part in enumerate(text):
        mine = [(swaps.words[word], other) for _, word, other in chosen if swaps.columns[word] == column]
        parts.append(replaced(part, sorted(mine)))
    return tuple(parts)
