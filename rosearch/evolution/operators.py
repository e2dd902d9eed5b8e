"""The operators that vary the genotypes of a space: each kind of space has mutations and a crossover of its own.

Those of graphs lie in `mutation` and `crossover`. Those of Transformer encoders stand at the foot of this file and are
ours: KD-NAS (arXiv 2303.09639) varies nothing, its controller picks from the whole space.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import TypeVar

from rosearch.evolution.crossover import cross
from rosearch.evolution.mutation import MUTATIONS, mutations_of
from rosearch.space.encoder_space import EncoderChoice, EncoderSpace
from rosearch.space.genotype import Genotype
from rosearch.space.search_space import SearchSpace
from rosearch.space.space import Space

_Kind = TypeVar("_Kind", bound=Space)
EncoderMutation = Callable[[Genotype, EncoderSpace, random.Random], Genotype | None]


@dataclass(frozen=True)
class Operators:
    """The operators of one space: pure functions of legal genotypes and a generator, whose results are legal.

    A mutation returns a new architecture, or None if it does not apply. `cross` returns its first parent if it finds no
    child that differs from both.
    """

    mutations: Mapping[str, Callable[[Genotype, random.Random], Genotype | None]]
    cross: Callable[[Genotype, Genotype, random.Random], Genotype]


@singledispatch
def operators_of(space: Space) -> Operators:
    """The operators of a space, by its kind; a new kind registers its own here. Raises `TypeError` for another."""
    raise TypeError(f"no operators vary the genotypes of a {type(space).__name__}")


@operators_of.register
def _(space: SearchSpace) -> Operators:
    return _bound(space, {name: MUTATIONS[name] for name in mutations_of(space)}, cross)


@operators_of.register
def _(space: EncoderSpace) -> Operators:
    return _bound(space, ENCODER_MUTATIONS, cross_encoders)


def mutate(genotype: Genotype, operators: Operators, rng: random.Random, count: int = 1) -> tuple[Genotype, str]:
    """`count` mutations in a row, and their names joined by `+`.

    Each mutation is drawn with equal chances among those that apply. If none does (a space of one genotype), the
    genotype itself comes back with an empty name.
    """
    done = []
    names = list(operators.mutations)
    for _ in range(count):
        for name in rng.sample(names, len(names)):
            child = operators.mutations[name](genotype, rng)
            if child is not None:
                genotype = child
                done.append(name)
                break
    return genotype, "+".join(done)


def _bound(
    space: _Kind,
    mutations: Mapping[str, Callable[[Genotype, _Kind, random.Random], Genotype | None]],
    cross: Callable[[Genotype, Genotype, _Kind, random.Random], Genotype],
) -> Operators:
    """The operators of a kind of space, bound to one space."""

    def bound(
        mutation: Callable[[Genotype, _Kind, random.Random], Genotype | None],
    ) -> Callable[[Genotype, random.Random], Genotype | None]:
        return lambda genotype, rng: mutation(genotype, space, rng)

    return Operators(
        {name: bound(mutation) for name, mutation in mutations.items()},
        lambda a, b, rng: cross(a, b, space, rng),
    )


def _change(name: str) -> EncoderMutation:
    """The mutation of one choice: it takes another value that goes with the other choices; None if there is none."""

    def mutation(genotype: Genotype, space: EncoderSpace, rng: random.Random) -> Genotype | None:
        now = space.choice(genotype)
        others = [choice for choice in space.choices() if _differing(now, choice) == [name]]
        return space.genotype(rng.choice(others)) if others else None

    return mutation


def _differing(a: EncoderChoice, b: EncoderChoice) -> list[str]:
    return [name for name, one, other in zip(EncoderChoice._fields, a, b) if one != other]


ENCODER_MUTATIONS: dict[str, EncoderMutation] = {f"change_{name}": _change(name) for name in EncoderChoice._fields}


def cross_encoders(a: Genotype, b: Genotype, space: EncoderSpace, rng: random.Random) -> Genotype:
    """An encoder with each choice from either parent; `a` itself if the space holds none but the parents."""
    parents = space.choice(a), space.choice(b)
    children = [
        choice
        for choice in space.choices()
        if choice not in parents and all(value in pair for value, pair in zip(choice, zip(*parents)))
    ]
    return space.genotype(rng.choice(children)) if children else a
