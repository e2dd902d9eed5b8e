"""`rosearch predict` and `rosearch verify`: parse, call, print."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.options import Json
from rosearch.errors import BadInput, Problem, nearest

if TYPE_CHECKING:
    from rosearch.data.row_stream import Row

PREDICT_EXAMPLES = """Examples:

`echo "a fine film" | rosearch predict ./student`

`rosearch predict ./student reviews.csv --text review > answers.csv`

`zcat pairs.jsonl.gz | rosearch predict ./student - --read jsonl --target onnx --drop-bad-rows`"""

_BATCH = 32
_AT_ONCE = 16  # batches that are read from a file before the first is asked, so that texts of like length share one
_STATES = {"ok": "ok", "unknown": "not checked"}
_MOST_TOLD = 20  # rows that are left out

Exported = Annotated[Path, typer.Argument(metavar="FOLDER", help="An exported student, or any classifier's folder.")]


def predict(
    folder: Exported,
    file: Annotated[
        Path, typer.Argument(help="Lines, .csv, .tsv or .jsonl, also compressed; default: standard input.")
    ] = Path("-"),
    target: Annotated[
        str,
        typer.Option(
            help="onnx, openvino, torch_export, hf (torch); auto: the first there that runs. By name alone: fp16, int8."
        ),
    ] = "auto",
    read: Annotated[
        str | None, typer.Option(help="lines, csv, tsv or jsonl; default: by the file's suffix, else lines.")
    ] = None,
    write: Annotated[
        str | None, typer.Option(help="lines, csv or jsonl; default: csv for tables, else as it is read.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Column of the text; default: text, sentence, premise ...")] = None,
    text_pair: Annotated[str | None, typer.Option(help="Column of the second text of pairs.")] = None,
    with_text: Annotated[bool, typer.Option("--with-text", help="Write the texts beside their answers.")] = False,
    drop_bad_rows: Annotated[
        bool, typer.Option("--drop-bad-rows", help="Leave out rows that cannot be read; else the first one ends it.")
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Texts asked at once, by default 32; 1 answers each line as it comes.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.01, max=100, help="Divides the logits; default: the folder's, if it was fitted. 1: none."),
    ] = None,
) -> None:
    """Answer texts from a file or a pipe.

    Labels with their probabilities, or scores, in the order of the rows. Rows are read as fast as answers are taken.
    The ONNX file of a folder is asked without torch.
    """
    from rosearch.data.columns import Columns
    from rosearch.data.row_stream import STREAM, format_of, stream_rows
    from rosearch.export.answers import FORMS
    from rosearch.export.predictions import open_classifier
    from rosearch.terminal.console import err, print_line, print_text
    from rosearch.terminal.progress import loading

    form = format_of(file, read)
    written = write or ("csv" if form == "tsv" else form)
    if written not in FORMS:
        raise BadInput(Problem("command line", "--write", ", ".join(FORMS), written, nearest(written, FORMS)))
    with loading("loading the model"):
        classifier = open_classifier(folder, target, temperature)
    texts = classifier.facts.texts or 1
    stream = file == STREAM
    typed = stream and sys.stdin.isatty()
    if typed:
        print_line("Type a text a line; Ctrl-D ends.", err)
    rows = stream_rows(file, form, Columns(text, text_pair), texts, sys.stdin.buffer)
    whole = _whole_rows(rows, "standard input" if stream else str(file), drop_bad_rows)
    render = FORMS[written](classifier.facts.labels, texts if with_text else 0)
    size = batch_size or (1 if typed else _BATCH)
    head = render.head  # it waits for the first answer, before which columns may turn out wrong
    for answers in classifier.answers(whole, size, size * (1 if stream else _AT_ONCE)):
        print_text(head + render(answers))
        head = ""
    print_text(head)


def verify(
    folder: Exported,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code in the folder that is not this rosearch's own.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Hold an exported folder against its records.

    Files against their digests, the card against recorded figures, the encoding, plain transformers in a process
    without rosearch and every further format against recorded logits. Exit code 3 where a check fails.
    """
    from rosearch.export.verification import verify
    from rosearch.terminal.console import print_json, print_line

    checks = []
    for check in verify(folder, trust_remote_code=trust_remote_code):
        checks.append(check)
        if not as_json and check.state != "failed":
            print_line(f"{_STATES[check.state]:<12} {check.name:<13} {check.told}")
    problems = [problem for check in checks for problem in check.problems]
    if as_json:
        told = [{"name": one.name, "state": one.state, "told": one.told} for one in checks]
        print_json({"folder": str(folder), "ok": not problems, "checks": told})
    if problems:
        raise BadInput(problems)


def _whole_rows(rows: Iterator[Row], where: str, drop: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The rows that could be read. Raises `BadInput` at the first other one; with `drop`, tells of each."""
    from rosearch.terminal.console import print_message

    dropped = 0
    for row in rows:
        if row.texts:
            yield row.number, row.texts
            continue
        place = f"line {row.number}"
        if not drop:
            fix = "--drop-bad-rows leaves such rows out"
            raise BadInput(Problem(where, place, row.expected, row.got, fix))
        dropped += 1
        if dropped <= _MOST_TOLD:
            told = Problem(where, place, row.expected, row.got)
            print_message("warning", "yellow", f"{told}; it is left out")
    if dropped > _MOST_TOLD:
        print_message("warning", "yellow", f"{where}: {dropped:,} rows are left out")
