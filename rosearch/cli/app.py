"""The program `rosearch`: its commands in their groups, and one clear line for every error.

`rosearch.errors` has the exit code of each error. Commands import what they need when they run: `rosearch --help`
loads neither torch nor pandas.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from rosearch import __version__
from rosearch.cli.attack import ATTACK_EXAMPLES, attack, attack_resources
from rosearch.cli.bench import BENCH_EXAMPLES, bench
from rosearch.cli.compare import COMPARE_EXAMPLES, compare
from rosearch.cli.distil import DISTIL_EXAMPLES, distil, encoding, teacher
from rosearch.cli.doctor import DOCTOR_EXAMPLES, doctor
from rosearch.cli.explain import EXPLAIN_EXAMPLES, explain
from rosearch.cli.exported import PREDICT_EXAMPLES, predict, verify
from rosearch.cli.folders import cache, runs
from rosearch.cli.init import INIT_EXAMPLES, init
from rosearch.cli.recommend import RECOMMEND_EXAMPLES, recommend
from rosearch.cli.report import REPORT_EXAMPLES, figures, report
from rosearch.cli.run import export, show, status
from rosearch.cli.search import check, resume, search
from rosearch.cli.shipped import experiments, spaces
from rosearch.cli.stats import STATS_EXAMPLES, stats
from rosearch.errors import BadInput, MachineFault, MissingResource, RosearchError, machine_fault, one_line
from rosearch.progress import ENDING, heard, stoppable

_MOST_LINES = 100  # of the problems of one input


# What an option takes, by the kind of pydantic's error: Typer hands its words on.
_TAKES = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_parsing": "true or false",
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
}


class _Commands(TyperGroup):
    """`attack resources` is a command of its own beside `attack MODEL`; wrong numbers are told in our words."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            for found in getattr(error.__cause__, "errors", list)():
                if takes := _TAKES.get(found["type"]):
                    error.message = f"expected {takes.format(**found.get('ctx', {}))}, got {found['input']}"
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        first = " ".join(args[:2])
        return super().resolve_command(ctx, [first, *args[2:]] if first == "attack resources" else args)


app = typer.Typer(
    cls=_Commands,
    help="Search for small students of BERT that are robust, accurate and cheap. Start with: "
    "`rosearch search quickstart`; with your own data and BERT: `rosearch init`.",
    epilog="Exit codes: 0 done, 1 a model or a training failed, 2 misused command, 3 bad input, "
    "4 something missing (hub, data, teacher, GPU), "
    "5 run cannot be used as asked, or the machine failed (disk, memory), "
    "6 candidates all fail, 130 Ctrl-C, 141 output that nobody read on, 128 + N signal N.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"rosearch {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of the program itself."""


_SEARCH, _RUN, _MODEL, _FOLDERS = "Search", "Look at a run", "One model", "Folders"
app.command(rich_help_panel=_SEARCH, epilog=INIT_EXAMPLES)(init)
app.command(rich_help_panel=_SEARCH)(search)
app.command(rich_help_panel=_SEARCH)(resume)
app.command(rich_help_panel=_SEARCH)(check)
app.command(rich_help_panel=_SEARCH)(experiments)
app.command(rich_help_panel=_SEARCH)(spaces)
app.command(rich_help_panel=_SEARCH, epilog=EXPLAIN_EXAMPLES)(explain)
app.command(rich_help_panel=_RUN)(status)
app.command(rich_help_panel=_RUN)(show)
app.command(rich_help_panel=_RUN, epilog=STATS_EXAMPLES)(stats)
app.command(rich_help_panel=_RUN, epilog=REPORT_EXAMPLES)(report)
app.command(rich_help_panel=_RUN)(figures)
app.command(rich_help_panel=_RUN, epilog=COMPARE_EXAMPLES)(compare)
app.command(rich_help_panel=_RUN, epilog=RECOMMEND_EXAMPLES)(recommend)
app.command(rich_help_panel=_RUN)(export)
app.command(rich_help_panel=_RUN, epilog=DOCTOR_EXAMPLES)(doctor)
app.command(rich_help_panel=_MODEL, epilog=DISTIL_EXAMPLES)(distil)
app.command(rich_help_panel=_MODEL)(teacher)
app.command(rich_help_panel=_MODEL, epilog=ATTACK_EXAMPLES)(attack)
app.command(rich_help_panel=_MODEL)(encoding)
app.command("attack resources", rich_help_panel=_MODEL)(attack_resources)
app.command(rich_help_panel=_MODEL, epilog=PREDICT_EXAMPLES)(predict)
app.command(rich_help_panel=_MODEL, epilog=BENCH_EXAMPLES)(bench)
app.command(rich_help_panel=_MODEL)(verify)
app.command(rich_help_panel=_FOLDERS)(runs)
app.command(rich_help_panel=_FOLDERS)(cache)


def main() -> None:
    """Run a command; an error of ours, of the file system or the machine becomes one line and its exit code.

    A signal that ends it gives 128 and its number, whatever became of the exception that it raised.
    """
    _prepare_streams()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # To look for plugins, pydantic reads what every installed package says of itself.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Threads that spin while they wait make a busy machine many times slower; must be set before torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # SQLAlchemy reports a Ctrl-C that interrupts its pool with a traceback; we report it in one line.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    with stoppable(ENDING, _end_at_once):
        try:
            _run()
        except (SystemExit, KeyboardInterrupt):
            if heard():
                raise SystemExit(128 + heard()) from None
            raise


def _run() -> None:
    try:
        app()
    except Exception as error:
        blames_input = isinstance(error, BadInput | MissingResource) or not isinstance(error, RosearchError)
        if blames_input and (fault := machine_fault(error)):
            _fail(MachineFault.exit_code, fault)
        if isinstance(error, RosearchError):
            _fail(error.exit_code, *error.lines)
        if isinstance(error, OSError):  # a folder that may not be written
            _fail(RosearchError.exit_code, one_line(error, None))
        raise


def _end_at_once(number: int) -> NoReturn:
    """Ends the process without its last words; workers end with it. Progress bars have hidden the cursor."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h\n")
    os._exit(128 + number)


def _prepare_streams() -> None:
    """Opens the standard streams that are closed; prints what an encoding cannot say as escapes.

    Without them the next file that is opened would get their number, and with it all that any library prints.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.fstat(number)
                continue
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does
    if len(sys.argv) == 1 or "--help" in sys.argv:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Typer prints the help, and would exit 1 where nobody reads on


def _fail(exit_code: int, *lines: str) -> NoReturn:
    from rosearch.terminal.console import print_message

    with suppress(OSError):  # where the terminal is gone
        for line in lines[:_MOST_LINES]:
            print_message("error", "red", line)
        if len(lines) > _MOST_LINES:
            print_message("error", "red", f"and {len(lines) - _MOST_LINES:,} more")
    atexit.register(gc.disable)  # the interpreter would look for garbage once more, at 7 % of a wrong command
    raise SystemExit(exit_code) from None
