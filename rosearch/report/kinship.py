"""Who is kin to whom among candidates: siblings, which are compared, and lineages, which are held out whole.

>>> kin = Kinship.of(records_table(records))
>>> kin.families, kin.lineages  # (rows,) each: equal numbers for siblings, for one founder

Siblings have the same parents. All that were drawn from the space are siblings of each other: a random search is one
family. A named start is alone. A strategy that chooses without parents chooses anew in each generation, which is a
family each. A lineage is all that descends from one founder through first parents.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Codes = npt.NDArray[np.int64]
_COLUMNS = ("id", "parents", "origin", "generation", "role", "run")


@dataclass(frozen=True, eq=False)
class Kinship:
    """A code of its family and one of its lineage for each row of a table."""

    families: Codes
    lineages: Codes

    @classmethod
    def of(cls, table: pd.DataFrame) -> Kinship:
        """Read it from the rows of `tables.records_table`; a column `run` keeps several runs apart.

        A table without descent (no column `parents`) is one family, and each row its own lineage.
        """
        if "parents" not in table:
            return cls(np.zeros(len(table), np.int64), np.arange(len(table)))
        columns = [table[name].tolist() if name in table else [""] * len(table) for name in _COLUMNS]
        rows = list(zip(*columns, strict=True))
        place = {(run, id): at for at, (id, *_, role, run) in reversed(list(enumerate(rows))) if role == "candidate"}
        families: list[Hashable] = []
        lineages: list[int] = []
        for at, (_, parents, origin, generation, role, run) in enumerate(rows):
            named = str(parents).split() if isinstance(parents, str) else []
            families.append(_family(at, run, named, str(origin), generation, role))
            first = place.get((run, named[0]), at) if named else at
            lineages.append(lineages[first] if first < at else at)  # who came later is no parent: descent has no circle
        return cls(_codes(families), _codes(lineages))

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Kinship:
        """That of some of the rows."""
        return Kinship(self.families[rows], self.lineages[rows])

    @property
    def effective_lineages(self) -> float:
        """The number of lineages of equal size that would be as diverse (the inverse of Simpson's index); 0 of none."""
        sizes = np.bincount(self.lineages) if len(self.lineages) else np.zeros(1)
        return float(sizes.sum() ** 2 / max(1.0, float((sizes**2).sum())))

    @property
    def comparisons(self) -> int:
        """Independent comparisons of siblings: one less in each family than it has members."""
        return len(self.families) - len(np.unique(self.families))


def _family(at: int, run: str, parents: Sequence[str], origin: str, generation: int, role: str) -> Hashable:
    kind = origin.partition(":")[0]
    if role != "candidate" or (not parents and kind not in ("sample", "chosen")):
        return run, at
    if parents:
        return run, *sorted(parents)
    return (run, kind) if kind == "sample" else (run, kind, generation)


def _codes(keys: Sequence[Hashable]) -> Codes:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
