"""The contract of a search space: a set of genotypes to draw from, to enumerate, and to fit others into."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from rosearch.space.genotype import Genotype
from rosearch.space.node import GeneValue


class Space(ABC):
    """A set of legal genotypes. `evolution` has the operators that vary the genotypes of each kind of space."""

    name: str
    vocabulary: int  # words of the embedding tables whose parameters are counted
    training: Mapping[str, tuple[GeneValue, ...]] = MappingProxyType({})  # values of each setting of the training

    @property
    @abstractmethod
    def encodings(self) -> tuple[str, ...]:
        """The robust encodings of words that its genotypes may ask of the tokenizer."""

    @property
    @abstractmethod
    def most_layers(self) -> int:
        """An upper bound on the layers of its genotypes, counted as task-agnostic distillation does."""

    @abstractmethod
    def describe(self) -> str:
        """Its contents in a few words."""

    @abstractmethod
    def violations(self, genotype: Genotype) -> list[str]:
        """Every rule of the space that a genotype breaks, one line each; empty if it is legal.

        For a genotype that cannot be built at all, only its structural problems are listed.
        """

    def is_legal(self, genotype: Genotype) -> bool:
        """True if a genotype can be built and keeps every rule of the space."""
        return not self.violations(genotype)

    @abstractmethod
    def sample(self, rng: random.Random) -> Genotype:
        """A random legal genotype; equal states of `rng` give equal genotypes. Raises `BadInput` if none is found."""

    @abstractmethod
    def genotypes(self) -> Iterator[Genotype]:
        """Every legal genotype, once per id, small ones first, always in the same order."""

    @abstractmethod
    def fit(self, genotype: Genotype) -> Genotype:
        """The nearest legal genotype; a legal one is returned as it is. Raises `ValueError` with the reason if none."""
