"""The output of `rosearch distil`: its progress with the loss, then teacher and student side by side."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rosearch.distil.student import Distilled, Watcher
from rosearch.distil.workplace import unfinished
from rosearch.measurements import BERT_BASE_ENCODER_PARAMETERS, BERT_BASE_PARAMETERS, Estimate, Meaning
from rosearch.report.data import FOUR_DECIMALS, GROUPED, PERCENT, Cell, Column, Row, Table, Unit, lefts
from rosearch.terminal.console import err, print_line, print_table
from rosearch.terminal.progress import SearchDisplay

_TOLD = 10  # lines of the loss in a log
_TIMES = Unit("x", 2)
_MILLION_FLOPS = Unit(" M", 1, per=1e6)


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
                print_line(f"distil: step {step} of {steps}, {text}", err)

            def note(text: str) -> None:
                print_line(text, err)

            yield Watcher(display.progress, show_loss, note)
    except KeyboardInterrupt:
        again = [word for word in sys.argv[1:] if word != "--fresh"]
        trained = any(unfinished(to).glob("checkpoint*"))
        print_line(f"Stopped. {'Go on with' if trained else 'The student was not trained yet; go on with'}:", err)
        print_line(f"  {shlex.join(['rosearch', *again])}", err)
        raise


def print_distilled(found: Distilled, task: Sequence[str], teacher: Sequence[str]) -> None:
    """Teacher and student side by side, then the next commands.

    `task` are the words that name rows to attack, `teacher` those that follow `rosearch teacher`; each may be none.
    """
    record = found.record
    print_table(_table(record))
    seconds = ", ".join(f"{stage} {spent:.0f} s" for stage, spent in record["seconds"].items())
    training = record["training"]
    steps = f"{training['steps']} steps of {record['method']}"
    print_line(f"{steps}, final loss {training['final_loss']:.4g}; {seconds}")
    code = ", trust_remote_code=True" if any(found.folder.glob("*_rosearch.py")) else ""
    print_line(f"Saved to {found.folder}. Load it with:")
    for kind in ("AutoTokenizer", "AutoModelForSequenceClassification"):
        print_line(f"  {kind}.from_pretrained({str(found.folder)!r}{code})")
    if record["teacher"]["folder"] and teacher:
        print_line(f"The teacher was fine-tuned. Save it with:\n  {shlex.join(['rosearch', 'teacher', *teacher])}")
    if record["task"]["labels"] and task:
        attack = ["rosearch", "attack", str(found.folder), "--attack", "deepwordbug", *task]
        print_line(f"How robust is it?\n  {shlex.join(attack)}")


def _table(record: dict[str, Any]) -> Table:
    method, task = record["method"], record["task"]["name"]
    rows, flags = [], []
    for split, qualities in record["quality"].items():
        teacher, student = qualities["teacher"], qualities["student"]
        flags += [f"{who}, {split}: {one['collapse']}" for who, one in qualities.items() if one["collapse"]]
        rows.append(Row((f"{student['metric']}, {student['n']} {split} rows", _quality(teacher), _quality(student))))
    rows += _meaning(record["meaning"])
    size, cost, times = record["efficiency"], record["teacher"]["cost"], record["compression"]
    soft = "outputs" in record["teacher"]  # their size is BERT-base's
    smaller = f"smaller than BERT-base ({BERT_BASE_PARAMETERS / 1e6:.2f} M)"
    layers = f"against BERT-base's layers ({BERT_BASE_ENCODER_PARAMETERS / 1e6:.2f} M)"
    rows += [
        Row(("parameters" + " (BERT-base's)" * soft, cost["parameters"], size["parameters"])),
        *([] if soft else [Row(("smaller than the teacher", "", Cell(times["teacher"], _TIMES)))]),
        Row((smaller, "", Cell(times["bert_base"], _TIMES))),
        Row(("without embedding tables", cost["encoder_parameters"], size["encoder_parameters"])),
        Row((layers, "", Cell(times["bert_base_encoder"], _TIMES))),
        Row(
            (
                f"FLOPs, one text of {size['tokens']} tokens",
                Cell(cost["flops"], _MILLION_FLOPS),
                Cell(size["flops"], _MILLION_FLOPS),
            )
        ),
    ]
    columns = (*lefts(""), Column(record["teacher"]["called"], GROUPED), Column("student", GROUPED))
    return Table(f"{task}, distilled by {method}", columns, tuple(rows), tuple(flags))


def _meaning(found: dict[str, Any]) -> list[Row]:
    """The rows of what teacher and student tell apart, in per cent; none for a regression."""
    if found["student"] is None:
        return []
    read = TypeAdapter(Meaning).validate_python
    figures = {who: read(found[who]).figures if found[who] else {} for who in ("teacher", "student")}
    return [
        Row((name, *(Cell(figures[who].get(name, ""), PERCENT) for who in ("teacher", "student"))))
        for name in figures["student"]
    ]


def _quality(quality: dict[str, Any]) -> Cell:
    """A share with its interval in per cent; another metric alone."""
    if quality["metric"] == "accuracy":
        return Cell(Estimate(**quality["accuracy"]), PERCENT)
    return Cell(quality["value"], FOUR_DECIMALS)
