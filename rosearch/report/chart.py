"""Charts as plain data: made once from records, then drawn by `svg` for a page and by `plotting` for a paper.

>>> marks = Marks("candidate", "plain", (Mark(0.94, 0.92, number=8),))
>>> Chart("front", "Robustness over accuracy", "1 candidate.", Axis("accuracy"), Axis("under attack"), (marks,))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from rosearch.report.data import HUNDREDTHS, Unit
from rosearch.report.scale import Scale

# The part that something plays in a figure; a stylesheet gives each its colour, light and dark.
Tone = Literal["plain", "pale", "front", "best", "gated", "teacher", "baseline", "finalist", "one", "two", "three",
               "four", "five", "six"]  # fmt: skip
SERIES: tuple[Tone, ...] = ("one", "two", "three", "four", "five", "six")
Shape = Literal["dot", "ring", "diamond", "star", "cross"]
Ends = tuple[float, float]
Direction = Literal["x", "y"]


@dataclass(frozen=True)
class Axis:
    """A direction of a chart. `names` stand at the places 0, 1, 2 ... in place of numbers, the first at the top."""

    title: str
    unit: Unit = HUNDREDTHS
    log: bool = False
    names: tuple[str, ...] = ()

    def scale(self, ends: Ends, start: float, end: float) -> Scale:
        """The scale of the values between two ends; beside a share that cannot be there is no room."""
        if self.names:
            return Scale(*ends, start, end)
        found = Scale.around(*ends, start, end, self.log)
        return (
            replace(found, low=max(found.low, -0.03), high=min(found.high, 1.03)) if self.unit.suffix == "%" else found
        )

    def number(self, tick: float) -> str:
        """A round number as short as it is exact."""
        number, suffix = self.unit.text(tick).removesuffix(self.unit.suffix), self.unit.suffix
        return (number.rstrip("0").rstrip(".") if "." in number else number) + suffix


@dataclass(frozen=True)
class Mark:
    """A point, the record that it stands for, the ends of its intervals, words beside it."""

    x: float
    y: float
    number: int | None = None
    x_ends: Ends | None = None
    y_ends: Ends | None = None
    label: str = ""


@dataclass(frozen=True)
class Marks:
    """Points that play one part; without a name they stand in no legend."""

    name: str
    tone: Tone
    marks: tuple[Mark, ...]
    shape: Shape = "dot"


@dataclass(frozen=True)
class Line:
    """A line through points; in `steps` it keeps a value until the next one."""

    name: str
    tone: Tone
    points: tuple[tuple[float, float], ...]
    steps: bool = False


@dataclass(frozen=True)
class Links:
    """Thin lines, each from (x, y) to (x, y)."""

    name: str
    tone: Tone
    ends: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Limit:
    """A dashed line across the chart at one value, such as a gate."""

    name: str
    direction: Direction
    value: float


@dataclass(frozen=True)
class Bars:
    """A bar for each named place of the y axis, from 0 to its value."""

    name: str
    tone: Tone
    values: tuple[float, ...]


Layer = Marks | Line | Links | Limit | Bars


@dataclass(frozen=True)
class Chart:
    """A figure: what it shows, the same in words, its axes, and its layers from back to front."""

    name: str  # of its file
    title: str
    text: str  # for those who do not see it
    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    wide: bool = False

    @property
    def empty(self) -> bool:
        """True where nothing was measured that it could show."""
        return not any(True for layer in self.layers if not isinstance(layer, Limit) for _ in values(layer, "x"))

    def extent(self, direction: Direction) -> Ends:
        """The least and the largest value in one direction; 0 to 1 where there is none."""
        found = [value for layer in self.layers for value in values(layer, direction)]
        axis = self.x if direction == "x" else self.y
        if axis.names:
            return -0.5, len(axis.names) - 0.5
        return (min(found), max(found)) if found else (0.0, 1.0)


def values(layer: Layer, direction: Direction) -> Iterator[float]:
    """All values of a layer in one direction."""
    across = direction == "x"
    match layer:
        case Marks(marks=marks):
            for mark in marks:
                yield mark.x if across else mark.y
                yield from (mark.x_ends if across else mark.y_ends) or ()
        case Line(points=points):
            yield from (point[0] if across else point[1] for point in points)
        case Links(ends=ends):
            for x, y, other_x, other_y in ends:
                yield from (x, other_x) if across else (y, other_y)
        case Limit():
            yield from (layer.value,) if layer.direction == direction else ()
        case Bars(values=bars):
            yield from (0.0, *bars) if across else ()
