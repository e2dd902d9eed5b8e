"""Sources of perturbed text as a user may write them, and such as go wrong."""

from __future__ import annotations

import random
from itertools import count

_CALLS = count()


def perturb(texts: list[str], share: float, seed: int) -> list[str]:
    """Doubles a letter of about so many words."""
    rng = random.Random(seed)
    return [" ".join(doubled(word, rng) if rng.random() < share else word for word in text.split()) for text in texts]


def doubled(word: str, rng: random.Random) -> str:
    place = rng.randrange(len(word))
    return word[: place + 1] + word[place:]


def by_words(words: list[str]) -> list[str]:
    return words


def fails(texts: list[str], share: float, seed: int) -> list[str]:
    raise KeyError("of the user's own")


def one_text(texts: list[str], share: float, seed: int) -> str:
    return texts[0]


def too_few(texts: list[str], share: float, seed: int) -> list[str]:
    return texts[1:]


def numbers(texts: list[str], share: float, seed: int) -> list[int]:
    return list(range(len(texts)))


def drifts(texts: list[str], share: float, seed: int) -> list[str]:
    number = next(_CALLS)
    return [f"{text} {number}" for text in texts]
