"""A run as one HTML page that opens from a disk: nothing is fetched, nothing is evaluated, every name is escaped.

>>> write_page(Path("report.html"), [open_results(Path("runs/quickstart-0001"))])

The page's policy (Content-Security-Policy) allows its own style and script by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rosearch.files import write_whole
from rosearch.report.chart import Chart, Limit
from rosearch.report.comparable import refuse_copies
from rosearch.report.data import Cell, Row
from rosearch.report.lineage import Lineage
from rosearch.report.overview import gain_in_words
from rosearch.report.panels import data, graph, pack
from rosearch.report.picks import facts, others, picks, same, worth
from rosearch.report.points import Shown
from rosearch.report.sections import Section, sections
from rosearch.report.summary import counts
from rosearch.report.svg import chart_svg, swatch_svg
from rosearch.report.verdicts import verdicts
from rosearch.run.hours import stop_in_words
from rosearch.run.results import Results

_OPENED = re.compile(r"#([0-9]{1,7})\b", re.ASCII)
_FAMILIES = (
    ("attention", "attention"),
    ("convolution", "convolution"),
    ("feed_forward", "feed-forward"),
    ("glu", "gated linear unit"),
    ("pooling", "pooling"),
    ("other", "identity"),
)


def write_page(path: Path, runs: Sequence[Results], version: str = "") -> Path:
    """Write the report of the first run; others are drawn beside it. The file before is replaced in one step."""
    write_whole(path, render_page(runs, version))
    return path


def render_page(runs: Sequence[Results], version: str = "", live: str = "") -> str:
    """The page. Raises `RunError` where a record is damaged, or a run is given twice.

    `live` is the edition of a page that is served: it asks its own server, and nobody else, for later ones.
    """
    refuse_copies(runs)
    results, *more = runs
    chunks: list[Markup] = []
    shown = Shown.of(results, table=True, each=lambda read: chunks.extend(pack(results, read)))
    beside, lineage = [Shown.of(one) for one in more], Lineage.of(shown)
    environment = _environment({str(record.number) for record in results.records})
    style, script = (_source(environment, f"page.{kind}") for kind in ("css", "js"))
    content = sections(shown, lineage, beside)
    variables = {
        "name": results.run.path.resolve().name,
        "version": version,
        "whole": True,
        "headline": _headline(results),
        "menu": [("ship", "What to ship"), *((one.id, one.title) for one in content)],
        "told": list(filter(None, (gain_in_words(results), *verdicts(results)))),
        "picks": list(_picks(shown)),
        "nothing": "No candidate has passed the gates: nothing can be recommended yet.",
        "slider": round(100 * worth(shown)) if "robustness" in shown.axes else 0,
        "sections": content,
        "families": _FAMILIES,
        "style": Markup(style),
        "script": Markup(script),
        "policy": _policy(style, script, bool(live)),
        "live": live,
        "data": data(shown, lineage, others(shown)),
        "chunks": chunks,
    }
    return environment.get_template("page.html").render(variables)


def render_comparison(name: str, headline: str, content: Sequence[Section], version: str = "") -> str:
    """A page of sections alone: no student is opened in it, and it has no script."""
    environment = _environment(frozenset())
    style = _source(environment, "page.css")
    variables = {
        "name": name,
        "version": version,
        "whole": False,
        "headline": headline,
        "menu": [(one.id, one.title) for one in content],
        "sections": content,
        "families": _FAMILIES,
        "style": Markup(style),
        "script": "",
        "policy": _policy(style, ""),
        "live": "",
        "data": "",
        "chunks": (),
    }
    return environment.get_template("page.html").render(variables)


def _environment(known: Collection[str]) -> Environment:
    """Templates in which a cell that begins with one of the known numbers opens that record."""
    found = Environment(
        loader=PackageLoader("rosearch.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )

    def opened(text: str) -> str | None:
        """The number of the record that a cell begins with."""
        match = _OPENED.match(text)
        return match[1] if match is not None and match[1] in known else None

    found.globals |= {
        "opened": opened,
        "lines": lambda table: list(zip(table.rows, table.texts(), strict=True)),
        "emphasis": _emphasis,
        "legend": _legend,
        "svg": lambda chart: Markup(chart_svg(chart)),
    }
    return found


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(style: str, script: str, live: bool = False) -> str:
    """The Content-Security-Policy of a page of this style and script."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    styles, scripts = (f"'sha256-{one}'" for one in hashes)
    allowed = f"default-src 'none'; style-src {styles}; script-src {scripts}; base-uri 'none'; form-action 'none'"
    return f"{allowed}; connect-src 'self'" if live else allowed


def _emphasis(row: Row, place: int) -> str:
    cell = row.cells[place] if place < len(row.cells) else None
    return cell.emphasis if isinstance(cell, Cell) else row.emphasis


def _legend(chart: Chart) -> list[tuple[str, Markup]]:
    named = [layer for layer in chart.layers if layer.name]
    if len(named) < 2 and not any(isinstance(layer, Limit) for layer in named):
        return []
    return [(layer.name, Markup(swatch_svg(layer))) for layer in named]


def _headline(results: Results) -> str:
    told = ", ".join(f"{count:,} {state}" for state, count in counts(results).items() if count)
    strategy, seed = results.experiment.evolution.strategy, results.experiment.seed
    ended = stop_in_words(results)
    return f"{results.state}: {told or 'no candidate yet'}; strategy {strategy}, seed {seed}" + (
        f". {ended}" if ended else ""
    )


def _picks(shown: Shown) -> list[Mapping[str, Any]]:
    found, teacher = list[Mapping[str, Any]](), shown.results.teacher
    for pick, questions in same(picks(shown)):
        record, path = pick.record, shlex.quote(str(shown.results.run.path))
        measured = record.anew().measurements
        assert measured is not None
        again = pick.again.anew().measurements if pick.again is not None else None
        found.append(
            {
                "questions": questions,
                "number": record.number,
                "label": record.label,
                "why": f"{pick.why[0].upper()}{pick.why[1:]}.",
                "graph": graph(record),
                "facts": facts(measured, "the teacher" if teacher is None else teacher.whose_cost),
                "again": "" if again is None else _again(dict(facts(again))),
                "command": f"rosearch export {path} {record.number}",
            }
        )
    return found


def _again(facts: Mapping[str, str]) -> str:
    """The figures of the retraining on test rows, which did not choose it."""
    told = ", ".join(f"{name} {value}" for name, value in list(facts.items())[:2])
    return f"Trained again on a fresh seed, on test rows: {told}."
