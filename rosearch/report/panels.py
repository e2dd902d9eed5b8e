"""The panel of each student of a report: its drawing, its kin, the tables of `rosearch show`; and its row in the data.

Panels are rendered once, escaped, and packed in chunks: a page inflates a chunk when one of its students is opened.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from rosearch.records.record import Record
from rosearch.report.data import THOUSANDTHS, Table
from rosearch.report.details import record_tables
from rosearch.report.layers import lay_out
from rosearch.report.lineage import Lineage
from rosearch.report.points import Point, Shown
from rosearch.report.svg import drawing_svg
from rosearch.run.results import Results

CHUNK = 40  # panels: about 300 KB of text, inflated in a few milliseconds
_MOST_KIN = 20


@dataclass(frozen=True)
class Panel:
    """What a page shows of one student; parents and children are pairs of a number and words."""

    title: str
    told: str
    graph: Markup
    parents: Sequence[tuple[int, str]]
    children: Sequence[tuple[int, str]]
    tables: Sequence[Table]


def make_panel(shown: Shown, lineage: Lineage, record: Record) -> Panel:
    """The panel of a record, read anew."""
    record = record.anew()
    title = f"#{record.number} {record.name or record.id}"
    facts, *others = record_tables(shown.results, record)
    architecture = others.pop()
    kin = (lineage.parents.get(record.number, ()), lineage.children.get(record.number, ()))
    parents, children = (_named(shown, lineage, numbers) for numbers in kin)
    return Panel(title, str(record.genotype), graph(record), parents, children, (facts, *others, architecture))


def graph(record: Record) -> Markup:
    """The drawing of a record's architecture."""
    return Markup(drawing_svg(lay_out(record.genotype), f"#{record.number}"))


def pack(texts: Sequence[str]) -> Iterator[str]:
    """Chunks of texts: JSON, deflated, in base64."""
    for first in range(0, len(texts), CHUNK):
        data = json.dumps(texts[first : first + CHUNK]).encode()
        yield base64.b64encode(zlib.compress(data, 9)).decode()


def data(shown: Shown, lineage: Lineage, numbers: Sequence[int], others: tuple[float, float]) -> Markup:
    """All students as JSON for the page's script; no `<` is left in it, so that no element ends within it."""
    quality = shown.axes["accuracy"].title
    rows = [_row(shown, lineage, record) for record in shown.results.records]
    told = {"rows": rows, "panels": list(numbers), "chunk": CHUNK, "others": others, "quality": quality}
    return Markup(json.dumps(told, separators=(",", ":")).replace("<", "\\u003c"))


def _row(shown: Shown, lineage: Lineage, record: Record) -> dict[str, Any]:
    point = shown.by_number.get(record.number)
    row: dict[str, Any] = {
        "number": record.number,
        "name": record.label,
        "state": _state(record, point),
        "eligible": point is not None and point.eligible,
        "generation": record.generation if record.generation >= 0 else "",
        "origin": lineage.origins.get(record.number, record.role),
        "parents": lineage.parents.get(record.number, ()),
    }
    return row | _figures(shown, point)


def _figures(shown: Shown, point: Point | None) -> dict[str, Any]:
    """As they are read; "" for what was not measured."""
    if point is None:
        return dict.fromkeys(("fitness", "quality", "attacked", "size"), "")
    attacked = "" if point.under_attack is None else f"{point.under_attack:.1%}"
    return {
        "fitness": THOUSANDTHS.text(point.scalar),
        "quality": shown.axes["accuracy"].unit.text(point.place["accuracy"].value),
        "attacked": attacked,
        "size": f"{point.parameters / 1e6:.2f}",
        "terms": [round(term, 5) for term in point.terms] if point.eligible else [],
    }


def _state(record: Record, point: Point | None) -> str:
    if record.failure is not None:
        return f"failed: {record.failure.kind} in {record.failure.stage}"
    if point is None:
        return record.status
    missed = f"missed {', '.join(point.gates)}" if point.gates else "passed"
    return missed if record.role == "candidate" else f"{record.role}, {missed}"


def _named(shown: Shown, lineage: Lineage, numbers: Sequence[int]) -> list[tuple[int, str]]:
    """`#5 0.917`, and of a child how it was made."""
    found = []
    for number in numbers[:_MOST_KIN]:
        point = shown.by_number.get(number)
        fitness = "" if point is None else f" {THOUSANDTHS.text(point.scalar)}"
        found.append((number, f"#{number}{fitness} ({lineage.origins[number]})"))
    return found


def renderer(macro: Callable[[Panel], str], shown: Shown, lineage: Lineage) -> Iterator[str]:
    """The panel of each record of a run as HTML, in the order of its records."""
    for record in _all(shown.results):
        yield str(macro(make_panel(shown, lineage, record)))


def _all(results: Results) -> Iterator[Record]:
    yield from results.records
