"""Files for other programs: all records of a run in one, and the graph of one candidate."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rosearch.errors import BadInput, Problem

if TYPE_CHECKING:
    from rosearch.records.record import Record
    from rosearch.run.results import Results


def _optuna(results: Results, path: Path) -> str:
    from rosearch.report.study import write_study

    trials = write_study(results, path)
    return f"a study of {trials:,} trials: optuna-dashboard {shlex.quote(f'sqlite:///{path}')}"


def _parquet(results: Results, path: Path) -> str:
    from rosearch.report.run_files import candidates_table
    from rosearch.report.tables import replace_file

    table = candidates_table(results)
    replace_file(path, partial(table.to_parquet, index=False))
    return f"a table of {len(table):,} records: pandas.read_parquet({str(path)!r})"


WHOLE_RUN: dict[str, Callable[[Results, Path], str]] = {"optuna": _optuna, "parquet": _parquet}


def export_whole(run: Path, name: str, to: Path | None, overwrite: bool, as_json: bool) -> None:
    """Write the records of a run in a format by its name, and say how they are opened."""
    if name not in WHOLE_RUN:
        raise typer.BadParameter(f"expected {' or '.join(WHOLE_RUN)}, got {name!r}", param_hint="--format")
    if to is None:
        raise typer.BadParameter("name the file with --to", param_hint="--format")
    if to.is_dir() or (to.exists() and not overwrite):
        fix = "Name another file." if to.is_dir() else "Name another file, or add --overwrite."
        got = f"the folder {to}" if to.is_dir() else f"{to}, which is there"
        raise BadInput(Problem("command line", "--to", "a new file", got, fix))
    from rosearch.run.results import open_results
    from rosearch.terminal.console import print_json, print_line

    told = WHOLE_RUN[name](open_results(run), to)
    if as_json:
        print_json({"run": str(run), "format": name, "file": str(to)})
    else:
        print_line(f"{to}: {told}")


def print_graph(record: Record, kind: str, as_json: bool) -> None:
    """The graph of a record in a format by its name, on standard output."""
    from rosearch.report.graph_text import GRAPH_FORMATS, graph_text
    from rosearch.terminal.console import print_text

    known = next((one for one in GRAPH_FORMATS if one == kind), None)
    if known is None:
        raise typer.BadParameter(f"expected {' or '.join(GRAPH_FORMATS)}, got {kind!r}", param_hint="--format")
    if as_json:
        raise typer.BadParameter("give either --format or --json")
    print_text(graph_text(record.genotype, known))
