"""`rosearch bench`: parse, call, print."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosearch.export.bench import Figure
    from rosearch.report.data import Table

BENCH_EXAMPLES = """Examples:

`rosearch bench ./student`

`rosearch bench ./student ./smaller --teacher ./teacher --batch 1 --length 16 --length 64 --threads 2 --json`"""

_BATCHES = (1, 8, 32)


def bench(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Exported students, in all formats.")],
    teacher: Annotated[
        str | None,
        typer.Option(
            help="A folder, a hub name or package:NAME; default: the one that the first folder's record names."
        ),
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option(min=1, help="Texts at once; repeatable. Default: 1, 8, 32.")
    ] = None,
    length: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Tokens of each; repeatable. Default: those of 16, 64, 128 that all read."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of every engine; default: a thread for each core.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.01, help="For each of model, tokenizer, both and products, at each shape.")
    ] = 0.5,
    as_json: Json = False,
) -> None:
    """Measure how fast exported students answer.

    Every format that lies in their folders is timed. Beside them stand the teacher in torch, and the plain matrix
    products of the same pass: what would be left if all else cost nothing. Nothing else should run meanwhile.
    """
    from rosearch.export.bench import bench, default_lengths, hardware, open_all
    from rosearch.terminal.console import err, print_json, print_table
    from rosearch.terminal.progress import SearchDisplay, loading

    used = threads or _cores()
    with loading("loading the models"):
        programs = open_all(folders, teacher, used)
    shapes = [(texts, tokens) for texts in batch or _BATCHES for tokens in length or default_lengths(programs)]
    with SearchDisplay(err) as display:
        told = partial(display.progress, "measuring latency")
        figures = list(bench(programs, shapes, seconds, told))
    if as_json:
        plain = [figure.to_dict() for figure in figures]
        print_json({"hardware": hardware(), "threads": used, "figures": plain})
    else:
        print_table(_table(figures, f"{hardware()}, {used} thread{'s' * (used != 1)}"))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _table(figures: Sequence[Figure], hardware: str) -> Table:
    from rosearch.report.data import HUNDREDTHS, SHARE, Column, Interval, Row, Table, Unit

    spread = Unit(" ms", decimals=2, ends=2)
    columns = (
        Column("model", align="left", whole=True),
        Column("engine", align="left", whole=True),
        Column("texts"),
        Column("tokens"),
        Column("model's time", spread),
        Column("tokenizer", HUNDREDTHS, spare=1),
        Column("both", HUNDREDTHS),
        Column("texts/s"),
        Column("products", HUNDREDTHS, spare=2),
        Column("share", SHARE),
    )
    rows = tuple(
        Row(
            (
                one.program.folder.name,
                one.program.engine,
                *one.shape,
                Interval(one.model.median_ms, one.model.low_ms, one.model.high_ms),
                one.tokenizer.median_ms,
                one.whole.median_ms,
                one.texts_per_second,
                one.products.median_ms if one.products else None,
                one.share,
            )
        )
        for one in figures
    )
    notes = (
        f"Milliseconds of a batch on {hardware}: medians; of the model's time also the quartiles.",
        "Products are the plain matrix products of the pass, each run alone; share is that of the model's time.",
    )
    return Table("Latency", columns, rows, notes=notes)
