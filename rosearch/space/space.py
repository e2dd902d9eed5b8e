"""What every search space is: a set of genotypes that a search can draw from, go through, and fit others into."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator

from rosearch.space.genotype import Genotype


class Space(ABC):
    """A set of legal genotypes. What can be varied in them is the kind's own: `evolution` has operators for each."""

    name: str
    vocabulary: int  # words that the tables of embeddings are counted with

    @property
    @abstractmethod
    def encodings(self) -> tuple[str, ...]:
        """The encodings of words that its genotypes may ask of the tokenizer."""

    @property
    @abstractmethod
    def most_layers(self) -> int:
        """The layers of its deepest genotype, as task-agnostic distillation counts them: a bound from above."""

    @abstractmethod
    def describe(self) -> str:
        """What it holds, in a few words."""

    @abstractmethod
    def violations(self, genotype: Genotype) -> list[str]:
        """Every rule of the space that a genotype breaks, one line each; empty where it is legal.

        A genotype that cannot be built at all gets its structural problems only.
        """

    def is_legal(self, genotype: Genotype) -> bool:
        """Whether a genotype can be built and keeps every rule of the space."""
        return not self.violations(genotype)

    @abstractmethod
    def sample(self, rng: random.Random) -> Genotype:
        """A random legal genotype; the same state of `rng` gives the same one.

        Raises `BadInput` where none is found.
        """

    @abstractmethod
    def genotypes(self) -> Iterator[Genotype]:
        """Every legal genotype once by id, small ones first, always in the same order."""

    @abstractmethod
    def fit(self, genotype: Genotype) -> Genotype:
        """The nearest legal genotype: the same one where it is legal already.

        Raises `ValueError` with the reason where there is none.
        """
