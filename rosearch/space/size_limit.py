"""The most parameters that a student of a run may have, counted before anything is built.

>>> limit = SizeLimit(5_000_000, {"wordpiece": 30_522}, positions=512, token_types=2, labels=2)
>>> limit.parameters(genotype), limit.admits(genotype)
(4217858, True)

A search space has a window of sizes of its own, counted with one vocabulary. A run knows its teacher's tables and what
each robust encoding leaves of the vocabulary, so it counts what the student will have to the last parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype


@dataclass(frozen=True)
class SizeLimit:
    """A bound on parameters, with the sizes of the tables that students of a run have.

    - `most`: parameters, embeddings included.
    - `vocabularies`: the pieces of each encoding of words that the space offers. A robust encoding may leave a small
      part of the teacher's.
    - `positions`, `token_types`: rows of the teacher's other tables, which students share.
    - `labels`: outputs of a classifier; 1 for a regression, 0 for encoders, which have none.
    """

    most: int
    vocabularies: Mapping[str, int]
    positions: int
    token_types: int
    labels: int

    def parameters(self, genotype: Genotype) -> int:
        """The parameters of the student of a genotype, embeddings included."""
        return count_parameters(
            genotype,
            vocabulary=self.vocabularies[str(genotype.source_setting["encoding"])],
            positions=self.positions,
            token_types=self.token_types,
            labels=self.labels,
        ).total

    def admits(self, genotype: Genotype) -> bool:
        """True if the student of a genotype is no larger than allowed."""
        return self.parameters(genotype) <= self.most
