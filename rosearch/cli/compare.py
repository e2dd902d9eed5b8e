"""`rosearch compare`: runs held against each other, as tables, figures and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rosearch.cli.options import Json
from rosearch.cli.report import figure_formats

COMPARE_EXAMPLES = """Examples:

`rosearch compare runs/ours-0001 runs/ours-0002 runs/random-0001 runs/random-0002`

`rosearch compare runs/* --by strategy,method --to comparison --format svg,pdf`"""

_BY = ("strategy", "space", "method", "seed")


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of two runs or more.")],
    by: Annotated[
        str,
        typer.Option(help="strategy, space, method, seed, or several with commas; default: what differs."),
    ] = "",
    to: Annotated[
        Path | None, typer.Option(help="Write figures and compare.html here.", metavar="DIR", file_okay=False)
    ] = None,
    formats: Annotated[str, typer.Option("--format", help="svg, png, pdf, or several with commas.")] = "svg",
    as_json: Json = False,
) -> None:
    """Hold runs against each other.

    Best fitness and hypervolume at equal cost (candidates, training steps and queries, hours), over the whole course;
    groups paired by seed; the keys in which the experiments differ. Other tasks are refused; what another teacher,
    attack or fitness makes incomparable is said and left out.
    """
    keys = _groups(by)
    kinds = figure_formats(formats)
    if len(runs) < 2:
        raise typer.BadParameter("give two runs or more: `rosearch report` shows one", param_hint="RUN...")
    from rosearch.terminal.progress import loading

    with loading():
        from rosearch import __version__
        from rosearch.report.compare import Compared
        from rosearch.report.compare_files import describe, write_compared
        from rosearch.run.results import open_results
        from rosearch.terminal.console import print_json, print_line, print_prose, print_table

    found = Compared.of([open_results(run) for run in runs], keys)
    written = [str(path) for path in write_compared(found, to, kinds, __version__)] if to is not None else []
    if as_json:
        print_json({**describe(found), "files": written})
        return
    for table in found.tables:
        print_table(table)
    print_prose(*(f"{note[0].upper()}{note[1:]}." for note in found.notes))
    for line in ("Written:", *(f"  {path}" for path in written)) if written else ():
        print_line(line)


def _groups(text: str) -> list[str]:
    asked = [part.strip().lower() for part in text.split(",") if part.strip()]
    if unknown := [part for part in asked if part not in _BY]:
        raise typer.BadParameter(f"expected {', '.join(_BY)}, with commas, got {unknown[0]!r}", param_hint="--by")
    return [name for name in _BY if name in asked]
