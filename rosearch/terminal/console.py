"""The two streams of a command, and the one way of each to print: tables, lines, JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from rosearch.errors import RosearchError
from rosearch.report.data import Cell, Column, Emphasis, Table, Value

_LOG_WIDTH = 120  # of a pipe or a file, which have no width of their own
_STYLES: dict[Emphasis, str] = {"": "", "strong": "bold", "warning": "yellow"}

out = Console(width=None if sys.stdout.isatty() else _LOG_WIDTH, emoji=False)
err = Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_WIDTH, emoji=False)


def print_json(value: Any) -> None:
    """One JSON value on standard output. Raises `RosearchError` for a number that JSON does not have, such as NaN."""
    try:
        text = json.dumps(value, indent=2, allow_nan=False)
    except ValueError as error:
        raise RosearchError(f"this cannot be printed as JSON: {error}") from error
    print(text)


def print_line(text: str, console: Console = out) -> None:
    """A line of plain text, as long as it is: paths and commands in it can be copied."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def print_table(table: Table, *, dense: bool = False) -> None:
    """A table on standard output."""
    out.print(rendered(table, dense=dense))


def rendered(table: Table, *, dense: bool = False) -> RichTable:
    """A table for a terminal. Without vertical lines, `dense`, ten columns of figures fit into a hundred letters."""
    made = RichTable(
        title=escape(table.title),
        title_justify="left",
        caption=escape("\n".join(table.notes)) or None,
        caption_justify="left",
        show_header=any(column.name for column in table.columns),
        box=box.SIMPLE_HEAD if dense else box.HEAVY_HEAD,
        pad_edge=not dense,
    )
    for column in table.columns:
        whole = column.whole or (dense and column.align == "right")
        made.add_column(
            Text(column.heading or column.name),
            justify=column.align,
            no_wrap=whole,
            overflow="fold" if dense else "ellipsis",
        )
    for row in table.rows:
        cells = [_cell(column, cell) for column, cell in zip(table.columns, row.cells)]
        made.add_row(*cells, style=_STYLES[row.emphasis] or None)
    return made


def _cell(column: Column, cell: Value | Cell) -> Text:
    if not isinstance(cell, Cell):
        return Text(column.text(cell))
    value = column.text(Cell(cell.value, cell.unit))
    return Text().append(value, _STYLES[cell.emphasis] or None).append(cell.note)
