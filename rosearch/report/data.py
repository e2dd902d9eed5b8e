"""Tables as plain data: made once, then rendered by the terminal or by a page.

>>> from rosearch.report.data import PERCENT, Column, Row, Table
>>> table = Table("Front", (Column("id", align="left"), Column("accuracy", PERCENT)), (Row(("3fa9", 0.913)),))
>>> table.texts()
[('3fa9', '91.3%')]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from rosearch.measurements import Estimate

T = TypeVar("T")
Align = Literal["left", "right"]
Emphasis = Literal["", "strong", "warning"]


@dataclass(frozen=True)
class Interval:
    """A value with two ends that are not a 95 % interval, such as quartiles."""

    value: float
    low: float
    high: float


Value = str | int | float | Estimate | Interval | None


@dataclass(frozen=True)
class Unit:
    """A number is written as `value * times / per`, rounded, then the suffix, then the ends of its interval."""

    suffix: str = ""
    decimals: int = 0
    times: float = 1.0
    per: float = 1.0
    ends: int | None = None  # decimals of an interval's ends; None leaves them out
    style: Literal["", "+", ","] = ""  # always a sign, or thousands parted by commas

    def text(self, value: float | Estimate | Interval) -> str:
        """E.g. `12.0% [8, 17]`; a number without an interval has no brackets."""
        if not isinstance(value, Estimate | Interval):
            return f"{value * self.times / self.per:{self.style}.{self.decimals}f}{self.suffix}"
        text = self.text(value.value)
        if self.ends is None:
            return text
        low, high = (f"{end * self.times / self.per:.{self.ends}f}" for end in (value.low, value.high))
        return f"{text} [{low}, {high}]"


COUNT = Unit()
GROUPED = Unit(style=",")
TENTHS = Unit(decimals=1)
HUNDREDTHS = Unit(decimals=2)
THOUSANDTHS = Unit(decimals=3)
FOUR_DECIMALS = Unit(decimals=4)
INTERVAL = Unit(decimals=3, ends=3)
SHARE = Unit("%", 1, times=100)
PERCENT = Unit("%", 1, times=100, ends=0)
POINTS = Unit(" pts", decimals=1, times=100, ends=1, style="+")  # differences of shares
MILLIONS = Unit(" M", 2, per=1e6)
TIMES = Unit("x", 1)
MILLISECONDS = Unit(" ms", 1)


def metric_unit(metric: str) -> Unit:
    """Shares of rows in per cent; correlations and other metrics as they are."""
    return SHARE if metric in ("accuracy", "macro_f1") else THOUSANDTHS


@dataclass(frozen=True)
class Column:
    """A column: its name, the unit of its numbers, the side its cells stand at."""

    name: str
    unit: Unit = COUNT
    align: Align = "right"
    missing: str = "-"  # stands for None
    whole: bool = False  # never broken over lines, as an id
    heading: str = ""  # the name with line breaks; "": a column of figures breaks it at its spaces
    spare: int = 0  # 0: always shown; where there is no room, the column of the highest is folded away first

    def text(self, cell: Value | Cell) -> str:
        """A cell as it is read, without its emphasis."""
        value = cell.value if isinstance(cell, Cell) else cell
        note = cell.note if isinstance(cell, Cell) else ""
        if value is None:
            return self.missing + note
        if isinstance(value, str):
            return value + note
        unit = (cell.unit if isinstance(cell, Cell) else None) or self.unit
        return unit.text(value) + note


@dataclass(frozen=True)
class Cell:
    """A value with its own unit, words that follow it, or an emphasis of the value alone."""

    value: Value
    unit: Unit | None = None  # None: the column's
    note: str = ""
    emphasis: Emphasis = ""


@dataclass(frozen=True)
class Row:
    """Cells in the order of the columns; those at the end that are left out are empty."""

    cells: tuple[Value | Cell, ...]
    emphasis: Emphasis = ""


@dataclass(frozen=True)
class Table:
    """Named columns of plain values. Where no column has a name, the table has no header."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()  # names of columns that had no room

    def fold(self) -> Table | None:
        """The same table without the column that can be spared best; None where all that are left must be shown."""
        spares = [column.spare for column in self.columns]
        if not any(spares):
            return None
        last = max(place for place, spare in enumerate(spares) if spare == max(spares))

        def without(cells: tuple[T, ...]) -> tuple[T, ...]:
            return cells[:last] + cells[last + 1 :]

        rows = tuple(replace(row, cells=without(row.cells)) for row in self.rows)
        named = (*self.folded, self.columns[last].name)
        return replace(self, columns=without(self.columns), rows=rows, folded=named)

    def texts(self) -> list[tuple[str, ...]]:
        """The cells of each row as they are read."""
        return [tuple(column.text(cell) for column, cell in zip(self.columns, row.cells)) for row in self.rows]


def percent(estimate: Estimate) -> str:
    """`12.0% [8, 17]`."""
    return PERCENT.text(estimate)


def interval(estimate: Estimate) -> str:
    """`0.212 [0.180, 0.244]`."""
    return INTERVAL.text(estimate)


def lefts(*names: str) -> tuple[Column, ...]:
    """Columns of text."""
    return tuple(Column(name, align="left") for name in names)
