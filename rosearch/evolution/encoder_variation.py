"""Variation of Transformer encoders: one choice takes another value, or each comes from either parent.

Ours: KD-NAS (arXiv 2303.09639) varies nothing, its controller picks from the whole space.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from rosearch.space.encoder_space import EncoderChoice, EncoderSpace
from rosearch.space.genotype import Genotype

Mutation = Callable[[Genotype, EncoderSpace, random.Random], Genotype | None]


def _change(name: str) -> Mutation:
    """The mutation that gives one choice another of the values that go with the others; None where there is none."""

    def mutation(genotype: Genotype, space: EncoderSpace, rng: random.Random) -> Genotype | None:
        now = space.choice(genotype)
        others = [choice for choice in space.choices() if _differing(now, choice) == [name]]
        return space.genotype(rng.choice(others)) if others else None

    return mutation


ENCODER_MUTATIONS: dict[str, Mutation] = {f"change_{name}": _change(name) for name in EncoderChoice._fields}


def cross_encoders(a: Genotype, b: Genotype, space: EncoderSpace, rng: random.Random) -> Genotype:
    """An encoder whose choices each come from either parent; `a` itself where the space has none but the parents."""
    parents = space.choice(a), space.choice(b)
    children = [
        choice
        for choice in space.choices()
        if choice not in parents and all(value in pair for value, pair in zip(choice, zip(*parents)))
    ]
    return space.genotype(rng.choice(children)) if children else a


def _differing(a: EncoderChoice, b: EncoderChoice) -> list[str]:
    return [name for name, one, other in zip(EncoderChoice._fields, a, b) if one != other]
