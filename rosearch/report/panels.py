"""The panel of each student of a report: its drawing, the tables of `rosearch show`; and its row in the data.

Panels are data, packed in chunks: a page inflates a chunk when one of its students is opened.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from rosearch.records.record import Record
from rosearch.report.data import THOUSANDTHS, Table
from rosearch.report.details import measured_tables
from rosearch.report.layers import lay_out
from rosearch.report.lineage import Lineage
from rosearch.report.points import PORTION, Point, Shown
from rosearch.report.svg import drawing_svg
from rosearch.run.results import Results

CHUNK = PORTION // 2  # panels: about 200 KB of text, inflated in a few milliseconds


def make_panel(results: Results, record: Record) -> list[Any]:
    """The panel of a record: title, architecture in words and drawn, tables.

    The page's script makes elements of all words but the drawing, and adds parents and children from the data.
    """
    title = f"#{record.number} {record.name or record.id}"
    tables = [_plain(table) for table in measured_tables(results, record)]
    drawing = drawing_svg(lay_out(record.genotype), "Architecture")  # the words stand above it
    return [title, str(record.genotype), drawing, tables]


def _plain(table: Table) -> list[Any]:
    """Title, columns, sides, rows, notes."""
    sides = "".join("n" if column.align == "right" else "l" for column in table.columns)
    return [table.title, [column.name for column in table.columns], sides, table.texts(), table.notes]


def graph(record: Record) -> Markup:
    """The drawing of a record's architecture, called by the architecture in words."""
    return Markup(drawing_svg(lay_out(record.genotype), f"#{record.number}: {record.genotype}"))


def pack(results: Results, records: Sequence[Record]) -> Iterator[Markup]:
    """The panels of records, in chunks: JSON, deflated, in base64."""
    for first in range(0, len(records), CHUNK):
        panels = [make_panel(results, record) for record in records[first : first + CHUNK]]
        data = json.dumps(panels, separators=(",", ":"), ensure_ascii=False).encode()
        yield Markup(base64.b64encode(zlib.compress(data, 6)).decode())


def data(shown: Shown, lineage: Lineage, others: tuple[float, float]) -> Markup:
    """All students as JSON for the page's script; no `<` is left in it, so that no element ends within it."""
    rows = [_row(shown, lineage, record) for record in shown.results.records]
    told = {
        "columns": list(rows[0]) if rows else [],
        "rows": [list(row.values()) for row in rows],
        "chunk": CHUNK,
        "others": others,
        "quality": shown.axes["accuracy"].title,
    }
    return Markup(json.dumps(told, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"))


def _row(shown: Shown, lineage: Lineage, record: Record) -> dict[str, Any]:
    point = shown.by_number.get(record.number)
    return {
        "number": record.number,
        "name": record.label,
        "state": _state(record, point),
        "generation": record.generation if record.generation >= 0 else "",
        "origin": lineage.origins.get(record.number, record.role),
        "parents": lineage.parents.get(record.number, ()),
        **_figures(shown, point),
    }


def _figures(shown: Shown, point: Point | None) -> dict[str, Any]:
    """As they are read; "" for what was not measured."""
    if point is None:
        return {"fitness": "", "quality": "", "attacked": "", "size": "", "terms": []}
    attacked = "" if point.under_attack is None else f"{point.under_attack:.1%}"
    return {
        "fitness": THOUSANDTHS.text(point.scalar),
        "quality": shown.axes["accuracy"].unit.text(point.place["accuracy"].value),
        "attacked": attacked,
        "size": f"{point.parameters / 1e6:.2f}",
        "terms": [round(term, 4) for term in point.terms] if point.eligible else [],
    }


def _state(record: Record, point: Point | None) -> str:
    if record.failure is not None:
        return f"failed: {record.failure.kind} in {record.failure.stage}"
    if point is None:
        return record.status
    missed = f"missed {', '.join(point.gates)}" if point.gates else "passed"
    return missed if record.role == "candidate" else f"{record.role}, {missed}"
