"""`rosearch report` and `figures`: a run as a page, and as figures for a paper."""

from __future__ import annotations

import errno
import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.options import Json, RunFolder
from rosearch.errors import RunError

if TYPE_CHECKING:
    from rosearch.report.gallery import Format
    from rosearch.run.results import Results

_PORT = 8321

REPORT_EXAMPLES = """Examples:

`rosearch report runs/quickstart-0001`

`rosearch report runs/ours-0001 runs/random-0001 --to page.html`

`rosearch report runs/quickstart-0001 --serve`"""

RunFolders = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Folders of runs; the first is told, others are drawn beside it.")
]


def report(
    runs: RunFolders,
    to: Annotated[Path | None, typer.Option(help="The file; default: report.html in the first run.")] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="No file: show the page at an address of this machine, and keep it new.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Of --serve; default: 8321. 0: any that is free.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a run as one page to look at, offline.

    The picks first, then front, course, architectures, descent, attacks, statistics, all students, cost, configuration.
    It opens from a disk and fetches nothing. A click on any mark opens that student. With --serve the page follows a
    search that goes on, until Ctrl-C.
    """
    if serve:
        if to is not None:
            raise typer.BadParameter("give either --serve or --to")
        _serve(runs, _PORT if port is None else port, as_json)
        return
    if port is not None:
        raise typer.BadParameter("it goes with --serve", param_hint="--port")
    found = _opened(runs)
    target = to or found[0].run.report
    _refuse_folder(target)
    from rosearch.terminal.progress import loading

    with loading():
        from rosearch import __version__
        from rosearch.report.page import write_page
        from rosearch.report.run_files import where_allowed
        from rosearch.terminal.console import print_json, print_line
    gc.freeze()  # what is loaded stays: to look through it again and again would take a sixth of the time
    if not where_allowed(lambda: [write_page(target, found, __version__)]):
        raise RunError(f"{target}: it may not be written there: name another file with --to")
    if as_json:
        print_json({"file": str(target), "bytes": target.stat().st_size, "runs": [str(run) for run in runs]})
    else:
        print_line(f"{target} ({target.stat().st_size / 1e6:.1f} MB): open it in any browser")


def _serve(runs: Sequence[Path], port: int, as_json: bool) -> None:
    """Serves the page until Ctrl-C, whose exit code is 130 as everywhere."""
    from rosearch import __version__
    from rosearch.progress import check_stop
    from rosearch.records.run_directory import RunDirectory
    from rosearch.report.serving import PageServer
    from rosearch.terminal.console import err, print_json, print_line
    from rosearch.terminal.progress import loading

    try:
        server = PageServer([RunDirectory.open(run) for run in runs], port, __version__, check_stop)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is taken by another program" if error.errno == errno.EADDRINUSE else "may not be used by you"
        raise typer.BadParameter(
            f"{port} {why}: name another, or 0 for any that is free", param_hint="--port"
        ) from None
    with server:
        with loading("making the page"):
            server.watched.page()
        if as_json:
            print_json({"url": server.address, "runs": [str(run) for run in runs]})
        else:
            print_line(f"{server.address} shows {runs[0]} until Ctrl-C. This machine alone can see it.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print_line("The page is served no more.", err)
            raise


def figures(
    run: RunFolder,
    to: Annotated[
        Path | None, typer.Option(help="The folder; default: figures in the run.", metavar="DIR", file_okay=False)
    ] = None,
    formats: Annotated[str, typer.Option("--format", help="svg, png, pdf, or several with commas.")] = "svg",
    as_json: Json = False,
) -> None:
    """Write the report's figures as SVG, PNG or PDF.

    The front, the course, descent, attacks, time by stage, the winning architectures. Files of these names are
    replaced.
    """
    kinds = figure_formats(formats)
    results = _opened([run])[0]
    folder = to or results.run.figures
    from rosearch.report.gallery import Gallery
    from rosearch.terminal.console import print_json, print_line

    written = Gallery(results).write(folder, kinds)
    if as_json:
        print_json({"files": [str(path) for path in written]})
        return
    for path in written:
        print_line(str(path))
    if not written:
        print_line(f"{run}: nothing was measured yet: there is nothing to draw")


def _opened(runs: Sequence[Path]) -> list[Results]:
    from rosearch.run.results import open_results

    return [open_results(run) for run in runs]


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise typer.BadParameter(f"expected a file, got the folder {path}", param_hint="--to")


def figure_formats(text: str) -> list[Format]:
    """The formats that an option names."""
    from rosearch.report.gallery import FORMATS

    asked = [part.strip().lower() for part in text.split(",")]
    if unknown := [part for part in asked if part not in FORMATS]:
        raise typer.BadParameter(f"expected svg, png, pdf, with commas, got {unknown[0]!r}", param_hint="--format")
    return [kind for kind in FORMATS if kind in asked]
