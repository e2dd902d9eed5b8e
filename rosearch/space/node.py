"""One operator of a genotype: what it does, which others it reads, and how it merges them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

Setting = bool | int | float | str
GeneValue = Setting | tuple[str, ...] | None  # of a setting of the training
SOURCE = 0  # the position of the source among the nodes of a genotype


@dataclass(frozen=True)
class Node:
    """One operator node. `inputs[port]` is the position that it reads: 0 is the source, i the i-th node."""

    op: str
    settings: tuple[tuple[str, Setting], ...] = ()
    inputs: tuple[int, ...] = (SOURCE,)
    merge: str = "add"

    @classmethod
    def of(cls, op: str, inputs: Iterable[int] = (SOURCE,), merge: str = "add", **settings: Setting) -> Self:
        """The node with its settings sorted by name."""
        return cls(op, tuple(sorted(settings.items())), tuple(inputs), merge)

    @property
    def setting(self) -> dict[str, Setting]:
        """The settings as a dictionary (a copy)."""
        return dict(self.settings)

    def with_(self, **changes: Any) -> Self:
        """A changed copy."""
        return replace(self, **changes)
