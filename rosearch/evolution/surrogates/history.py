"""What a controller has seen: episodes of architectures, each a sequence of choices, with the rewards they earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Choices = tuple[int, ...]  # of one architecture: the position of each value among those of its kind


@dataclass(frozen=True)
class Episode:
    """Architectures with their observed rewards, finite and of the same order; those that failed are not there."""

    choices: tuple[Choices, ...]
    rewards: tuple[float, ...]


@dataclass(frozen=True)
class Context:
    """What stands before a candidate in the sequence that the LSTM reads; None where there was nothing yet."""

    last: Choices | None = None  # the best of the last episode
    best: Choices | None = None  # the best so far


def context_of(history: Sequence[Episode]) -> Context:
    """The context of the episode that comes after these. Of equal rewards the earlier architecture counts."""
    told = [episode for episode in history if episode.choices]
    every = Episode(tuple(c for e in told for c in e.choices), tuple(r for e in told for r in e.rewards))
    return Context(_best(told[-1]), _best(every)) if told else Context()


def _best(episode: Episode) -> Choices:
    return episode.choices[max(range(len(episode.rewards)), key=episode.rewards.__getitem__)]
