"""What `rosearch distil` prints: its progress with the loss, and what came out."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from rosearch.distil.student import Distilled, Watcher, unfinished
from rosearch.evaluation.efficiency import BERT_BASE_ENCODER_PARAMETERS, BERT_BASE_PARAMETERS
from rosearch.measurements import Estimate
from rosearch.terminal.progress import SearchDisplay
from rosearch.terminal.run import err, out
from rosearch.terminal.table import percent

_TOLD = 10  # lines of the loss in a log


@contextmanager
def watched(to: Path) -> Iterator[Watcher]:
    """Progress on standard error: bars on a terminal, lines elsewhere. Ctrl-C says how to go on."""
    try:
        with SearchDisplay(err) as display:
            told = 0

            def show_loss(step: int, steps: int, loss: float) -> None:
                nonlocal told
                text = f"loss {loss:.4g}"
                if display.detail("distil", text) or step * _TOLD < told * steps:
                    return
                told = step * _TOLD // steps + 1
                err.print(f"distil: step {step} of {steps}, {text}", highlight=False, soft_wrap=True)

            def note(text: str) -> None:
                err.print(escape(text), highlight=False, soft_wrap=True)

            yield Watcher(lambda stage, done, total: display.progress(escape(stage), done, total), show_loss, note)
    except KeyboardInterrupt:
        again = [word for word in sys.argv[1:] if word != "--fresh"]
        kept = "Go on with" if any(unfinished(to).glob("checkpoint*")) else "Nothing was trained yet; start again with"
        err.print(f"Stopped. {kept}:", highlight=False)
        err.print(f"  {shlex.join(['rosearch', *again])}", highlight=False, markup=False, soft_wrap=True)
        raise


def print_json(found: Distilled) -> None:
    """The record and where it lies, on standard output and nothing else there."""
    print(json.dumps({"folder": str(found.folder), **found.record}, indent=2, allow_nan=False))


def print_distilled(found: Distilled, task: Sequence[str]) -> None:
    """Teacher and student side by side, and what to type next. `task` are the words that name the task."""
    record = found.record
    out.print(_table(record))
    seconds = ", ".join(f"{stage} {spent:.0f} s" for stage, spent in record["seconds"].items())
    training = record["training"]
    out.print(
        f"{training['steps']} steps of {escape(record['method'])}, final loss {training['final_loss']:.4g}; {seconds}",
        highlight=False,
    )
    code = ", trust_remote_code=True" if any(found.folder.glob("*_rosearch.py")) else ""
    _print(f"Saved to {found.folder}. Load it with:")
    for kind in ("AutoTokenizer", "AutoModelForSequenceClassification"):
        _print(f"  {kind}.from_pretrained({str(found.folder)!r}{code})")
    if record["task"]["labels"]:
        attack = ["rosearch", "attack", str(found.folder), "--attack", "deepwordbug", *task]
        _print(f"How robust is it?\n  {shlex.join(attack)}")


def _table(record: dict[str, Any]) -> Table:
    method, task = record["method"], record["task"]["name"]
    table = Table(title=escape(f"{task}, distilled by {method}"), title_justify="left", caption_justify="left")
    for column in ("", "teacher", "student"):
        table.add_column(column, justify="right" if column else "left")
    flags = []
    for split, qualities in record["quality"].items():
        teacher, student = qualities["teacher"], qualities["student"]
        flags += [f"{who}, {split}: {one['collapse']}" for who, one in qualities.items() if one["collapse"]]
        rows = f"{student['metric']}, {student['n']} {split} rows"
        table.add_row(rows, _value(teacher), _value(student))
    size, cost, times = record["efficiency"], record["teacher"]["cost"], record["compression"]
    table.add_row("parameters", f"{cost['parameters']:,}", f"{size['parameters']:,}")
    table.add_row("smaller than the teacher", "", f"{times['teacher']:.2f}x")
    table.add_row(f"smaller than BERT-base ({BERT_BASE_PARAMETERS / 1e6:.2f} M)", "", f"{times['bert_base']:.2f}x")
    table.add_row("without embedding tables", f"{cost['encoder_parameters']:,}", f"{size['encoder_parameters']:,}")
    layers = f"against BERT-base's layers ({BERT_BASE_ENCODER_PARAMETERS / 1e6:.2f} M)"
    table.add_row(layers, "", f"{times['bert_base_encoder']:.2f}x")
    flops = f"M FLOPs, one text of {size['tokens']} tokens"
    table.add_row(flops, f"{cost['flops'] / 1e6:.1f}", f"{size['flops'] / 1e6:.1f}")
    table.caption = escape("\n".join(flags)) or None
    return table


def _value(quality: dict[str, Any]) -> str:
    """A share with its interval in per cent; another metric alone."""
    if quality["metric"] == "accuracy":
        return percent(Estimate(**quality["accuracy"]))
    return f"{quality['value']:.4f}"


def _print(text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)
