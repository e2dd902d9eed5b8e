"""`rosearch stats`: what goes with what in one run, or in several together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rosearch.cli.options import Json
from rosearch.cli.run import results_of, say_unwritten

if TYPE_CHECKING:
    import pandas as pd

STATS_EXAMPLES = """Examples:

`rosearch stats runs/quickstart-0001`

`rosearch stats runs/ours-0001 runs/ours-0002 runs/ours-0003 --to pooled`"""


def stats(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs; several are pooled.")],
    to: Annotated[
        Path | None,
        typer.Option(help="Of several runs: write the tables into this folder.", metavar="DIR", file_okay=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Correlate features, compare students.

    Rank correlations of architecture features with robustness and accuracy, tested among siblings; pairs of operations
    on the front; what architecture predicts; and each student against the best, row by row. Tables and figures are
    written into the run. Several runs, such as those of several seeds, are pooled with random effects.
    """
    if len(runs) > 1:
        _pooled_stats(runs, to, as_json)
        return
    if to is not None:
        raise typer.BadParameter(
            "one run keeps its tables itself; give several runs, or leave it out", param_hint="--to"
        )
    from rosearch.terminal.progress import loading

    with loading():
        from rosearch.report.comparisons import comparison_tables, comparison_verdicts
        from rosearch.report.motifs import motif_tables
        from rosearch.report.regression import regression_tables
        from rosearch.report.run_files import write_comparisons, write_statistics
        from rosearch.report.statistics_tables import statistics_tables
        from rosearch.terminal.console import print_json
        from rosearch.terminal.run import print_statistics

    results = results_of(runs[0])
    found, paths = write_statistics(results)
    comparisons, more = write_comparisons(results)
    if not (paths and more):
        say_unwritten("tables and figures", results)
    paths += more
    tables = [*statistics_tables(found.features), *motif_tables(found.motifs), *regression_tables(found.regressions)]
    if as_json:
        frames = {"statistics": found.features, "motifs": found.motifs, "regressions": found.regressions}
        told = _rows({**frames, "comparisons": comparisons})
        verdicts = [*comparison_verdicts(comparisons), *(table.notes[0] for table in tables if table.notes)]
        print_json({**told, "verdicts": verdicts, "files": [str(path) for path in paths]})
    else:
        print_statistics([*comparison_tables(comparisons), *tables], paths)


def _pooled_stats(runs: Sequence[Path], to: Path | None, as_json: bool) -> None:
    from rosearch.terminal.progress import loading

    with loading():
        from rosearch.report.motifs import motif_tables
        from rosearch.report.pooling import pooled_tables
        from rosearch.report.regression import regression_tables
        from rosearch.report.run_files import pool_statistics
        from rosearch.terminal.console import print_json
        from rosearch.terminal.run import print_statistics

    found, paths = pool_statistics([results_of(run) for run in runs], to)
    tables = [*pooled_tables(found.features, len(runs)), *motif_tables(found.motifs)]
    tables += regression_tables(found.regressions)
    if not as_json:
        print_statistics(tables, paths)
        return
    frames = {"pooled": found.features, "motifs": found.motifs, "regressions": found.regressions}
    told = _rows(frames)
    verdicts = [table.notes[0] for table in tables if table.notes]
    print_json({"runs": [str(run) for run in runs], **told, "verdicts": verdicts, "files": [str(one) for one in paths]})


def _rows(frames: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Each table as a list of objects, without NaN."""
    return {name: json.loads(table.to_json(orient="records")) for name, table in frames.items()}
