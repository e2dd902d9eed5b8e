"""A run, its front, a candidate and an architecture in a notebook: `_repr_html_` of all that `open_run` gives.

Tables are plain and take the notebook's own style. An architecture is an image that carries its style within, light or
dark as the reader's system is, so nothing of it leaks into the notebook. Every word is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

import networkx as nx
import pandas as pd

from rosearch.records.record import Record
from rosearch.report.data import Table
from rosearch.report.details import measured_tables
from rosearch.report.kin import broken_table, kin_table
from rosearch.report.layers import lay_out
from rosearch.report.overview import results_table
from rosearch.report.summary import counts
from rosearch.report.svg import drawing_svg
from rosearch.run.results import Results
from rosearch.space.genotype import Genotype

if TYPE_CHECKING:
    from typing import Self

_MOST_GRAPHS = 3


class DrawnGraph(nx.DiGraph):  # type: ignore[misc]  # networkx has no types
    """The graph of an architecture, which a notebook draws; what it no longer can be is shown as any graph."""

    @classmethod
    def of(cls, genotype: Genotype) -> Self:
        """Frozen, with the attributes of `Genotype.graph`."""
        drawn: Self = nx.freeze(cls(genotype.canonical().graph))
        return drawn

    def _repr_html_(self) -> str | None:
        try:
            return graph_html(Genotype.from_graph(self))
        except (ValueError, KeyError, TypeError):  # a user's copy, changed
            return None


class Front(pd.DataFrame):
    """The frame of a front, which a notebook shows as the report does; any part of it is a frame like others."""

    @classmethod
    def of(cls, frame: pd.DataFrame, results: Results) -> Self:
        """The rows of `frame`, shown by `results`."""
        made = cls(frame)
        object.__setattr__(made, "_shown", results)
        return made

    def _repr_html_(self) -> str | None:
        results = self.__dict__.get("_shown")
        if results is None:
            shown: str | None = pd.DataFrame._repr_html_(self)  # type: ignore[attr-defined]  # not in the stubs
            return shown
        return table_html(results_table("The front, validation rows", results, results.front, teacher=results.teacher))


@dataclass(frozen=True)
class Candidate:
    """One record of a run: `record` holds all that was measured; a notebook shows it as `rosearch show` does."""

    results: Results
    record: Record

    @property
    def graph(self) -> DrawnGraph:
        """Its architecture, as `OpenedRun.genotype` gives it."""
        return DrawnGraph.of(self.record.genotype)

    def _repr_html_(self) -> str:
        found = self.record.measurements
        attacks = [] if found is None else list(found.attacks or filter(None, (found.robustness,)))
        tables = (
            *measured_tables(self.results, self.record),
            broken_table(attacks),
            kin_table(self.results, self.record),
        )
        return graph_html(self.record.genotype) + "".join(table_html(table) for table in tables if table.rows)


def run_html(results: Results) -> str:
    """The state of a run, its front, and the graphs of the best."""
    told = ", ".join(f"{count:,} {state}" for state, count in counts(results).items() if count)
    name, strategy = results.run.path.resolve().name, results.experiment.evolution.strategy
    state = f"{results.state}: {told or 'no candidate yet'}; strategy {strategy}"
    head = f"<h3>{escape(name)}</h3><p>{escape(state)}</p>"
    if not results.front:
        return f"{head}<p>No candidate has passed the gates.</p>"
    graphs = "".join(
        f"<figure style='display:inline-block;margin:8px'>{graph_html(record.genotype)}"
        f"<figcaption>#{record.number} {escape(record.label)}</figcaption></figure>"
        for record in results.front[:_MOST_GRAPHS]
    )
    table = results_table("The front, validation rows", results, results.front, teacher=results.teacher)
    return head + table_html(table) + graphs


def graph_html(genotype: Genotype) -> str:
    """The drawing of an architecture as an image; the architecture in words for those who do not see it."""
    style = files("rosearch.report").joinpath("page.css").read_text(encoding="utf-8")
    svg = drawing_svg(lay_out(genotype), "Architecture")
    styled = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    head, _, body = styled.partition(">")
    data = base64.b64encode(f"{head}><style>{escape(style, quote=False)}</style>{body}".encode()).decode()
    return f'<img alt="{escape(str(genotype))}" src="data:image/svg+xml;base64,{data}">'


def table_html(table: Table) -> str:
    """A table of plain data."""
    head = ""
    if any(column.name for column in table.columns):
        head = f"<thead><tr>{_cells('th', (column.name for column in table.columns))}</tr></thead>"
    body = "".join(f"<tr>{_cells('td', texts)}</tr>" for texts in table.texts())
    notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in table.notes)
    return f"<table><caption>{escape(table.title)}</caption>{head}<tbody>{body}</tbody></table>{notes}"


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)
