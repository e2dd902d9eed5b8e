"""A word table in which synonyms lie close together, so that swapping one for another changes little of what is read.

>>> made = move_words(table, WordPairs(synonyms, opposites, task_words), MetricSettings())
>>> made.lend(model)  # its rows take the place of the model's own
>>> made.facts["synonyms_after"]  # mean cosine of synonyms

Triplet metric learning of word vectors (Yang, Wang and He 2022, arXiv 2202.13817), which the paper runs beside the
training of a classifier. Here it comes before: a teacher's table is moved, and students start with it. As in
counter-fitting (Mrksic et al. 2016, arXiv 1603.00892) opposites are pushed apart, and each row is held near its place,
so that the layers above still read it. V is the number of rows, H their width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed

_MEASURED = 20_000  # random pairs, of which distances and cosines are told
_TOLD = 10  # steps between two words of progress


@dataclass(frozen=True)
class MetricSettings:
    """Settings of the training. Distances are in units of the mean distance of two random words, before it."""

    within: float = 0.2  # synonyms that are this near are left alone
    apart: float = 0.9  # other words that are this far are left alone
    anchor: float = 0.5  # weight of the squared distance of a row from where it was
    steps: int = 150
    pairs: int = 4096  # of synonyms, in a step; never more than there are
    learning_rate: float = 0.03  # Adam's, in the same units; it falls to 0
    seed: int = 1


@dataclass(frozen=True)
class WordPairs:
    """The words of a table by their rows, int64: pairs (n, 2) of synonyms and of opposites, and the task's words."""

    synonyms: Tensor
    opposites: Tensor
    task: Tensor  # (m,)


@dataclass(frozen=True, eq=False)
class WordTable:
    """The rows that have moved (n,), their vectors (n, H), and facts: how many, and mean cosines before and after."""

    rows: Tensor
    vectors: Tensor
    facts: Mapping[str, Any]

    @torch.no_grad()
    def lend(self, model: PreTrainedModel) -> None:
        """Gives a loaded model these rows of its word table. Its other rows stay."""
        weight = model.get_input_embeddings().weight
        weight[self.rows.to(weight.device)] = self.vectors.to(weight)

    def summary(self) -> str:
        """The facts in one line."""
        told = {
            name: f"{self.facts[f'{name}_before']:.2f} -> {self.facts[f'{name}_after']:.2f}"
            for name in ("synonyms", "random", "opposites")
            if self.facts[f"{name}_before"] is not None
        }
        words = {"synonyms": "synonyms", "random": "random words", "opposites": "opposites"}
        cosines = ", ".join(f"{words[name]} {values}" for name, values in told.items())
        return (
            f"word table: {self.facts['moved']:,} words moved by {self.facts['pairs']:,} pairs; mean cosine: {cosines}"
        )


def move_words(table: Tensor, pairs: WordPairs, settings: MetricSettings, progress: Progress = silent) -> WordTable:
    """The rows of a table (V, H) after metric learning; the table itself is left as it was.

    A step draws synonyms (i, j), for each i a word k of the task that is none of its synonyms, and opposites (p, q).
    With distances d in units of their mean over random words, it lowers

        [d(i, j) - within]+ + [apart - d(i, k)]+ + [apart - d(p, q)]+ + anchor * d(row, its place before)^2

    Only words that have a synonym move, and of opposites those that both do. No global random number is drawn. Raises
    `ValueError` without a pair of synonyms.
    """
    if not len(pairs.synonyms):
        raise ValueError("no pair of synonyms")
    rows = torch.unique(pairs.synonyms)
    start = table.detach()[rows].float().cpu()
    place = torch.full((len(table),), -1)
    place[rows] = torch.arange(len(rows))
    opposites = place[pairs.opposites]
    task = place[pairs.task]
    trained = WordPairs(place[pairs.synonyms], opposites[(opposites >= 0).all(1)], task[task >= 0])
    generator = torch.Generator().manual_seed(derive_seed(settings.seed, "word table"))
    measured = torch.randint(len(rows), (_MEASURED, 2), generator=generator)
    measured = measured[measured[:, 0] != measured[:, 1]]
    unit = float((start[measured[:, 0]] - start[measured[:, 1]]).norm(dim=1).mean())
    moved = _trained(start / unit, trained, settings, generator, progress) * unit
    by_name = {"synonyms": trained.synonyms, "random": measured, "opposites": trained.opposites}
    cosines = {
        f"{name}_{when}": _cosine(vectors, found)
        for name, found in by_name.items()
        for when, vectors in (("before", start), ("after", moved))
    }
    facts = {"moved": len(rows), "pairs": len(trained.synonyms), "opposites": len(trained.opposites), **cosines}
    return WordTable(rows, moved, facts)


def _trained(
    start: Tensor, pairs: WordPairs, settings: MetricSettings, generator: torch.Generator, progress: Progress
) -> Tensor:
    """The vectors (n, H) after the training; `pairs` are of their places."""
    vectors = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([vectors], fused=True)
    others = pairs.task if len(pairs.task) > 1 else torch.arange(len(start))
    known = _codes(pairs.synonyms, len(start))
    count = min(settings.pairs, len(pairs.synonyms))
    few = max(1, count * len(pairs.opposites) // len(pairs.synonyms)) if len(pairs.opposites) else 0
    for done in range(settings.steps):
        optimiser.param_groups[0]["lr"] = settings.learning_rate * (1 - done / settings.steps)
        near = _drawn(pairs.synonyms, count, generator)
        near = torch.where(torch.rand(count, 1, generator=generator) < 0.5, near, near.flip(1))  # either may be i
        far = torch.stack([near[:, 0], _drawn(others, count, generator)], dim=1)
        strangers = ~torch.isin(_codes(far, len(start)), known) & (far[:, 0] != far[:, 1])
        against = _drawn(pairs.opposites, few, generator) if few else pairs.opposites
        # One look-up for all: the gradient of a plain index is several times slower on a CPU.
        read = torch.cat([near.T.flatten(), far[:, 1], against.T.flatten()])
        found = F.embedding(read, vectors)
        one, two, third, *last = torch.split(found, [count, count, count, *([few, few] if few else [])])
        loss = (_distance(one, two) - settings.within).relu().sum()
        loss = loss + ((settings.apart - _distance(one, third)).relu() * strangers).sum()
        if few:
            loss = loss + (settings.apart - _distance(*last)).relu().sum()
        loss = (
            loss + settings.anchor * (found - F.embedding(read, start)).square().sum() / 3
        )  # a third a row of a triple
        (loss / count).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
        if (done + 1) % _TOLD == 0 or done + 1 == settings.steps:
            progress("word table", done + 1, settings.steps)
    return vectors.detach()


def _drawn(found: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return found[torch.randint(len(found), (count,), generator=generator)]


def _codes(pairs: Tensor, words: int) -> Tensor:
    """One number a pair, whichever way round."""
    ordered = pairs.sort(dim=1).values
    return ordered[:, 0] * words + ordered[:, 1]


def _distance(one: Tensor, two: Tensor) -> Tensor:
    # Two words with one vector have a distance without a gradient: the root of 0 would give NaN.
    return (one - two).square().sum(1).clamp_min(1e-12).sqrt()


def _cosine(vectors: Tensor, pairs: Tensor) -> float | None:
    if not len(pairs):
        return None
    return float(torch.cosine_similarity(vectors[pairs[:, 0]], vectors[pairs[:, 1]]).mean())
