"""The output of `rosearch attack`: its tables, the texts that fooled a model, the resources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import SequenceMatcher

from rich.text import Text

from rosearch.attack.report import AttackedModel, AttackReport
from rosearch.attack.tables import (
    attacks_table,
    classes_table,
    comparisons_table,
    held_out_table,
    short_names,
)
from rosearch.progress import Progress
from rosearch.terminal.console import err, out, print_message, print_table
from rosearch.terminal.progress import SearchDisplay


@contextmanager
def watched(kept: str = "Plans and attacked rows are kept") -> Iterator[Progress]:
    """Progress on standard error: bars on a terminal, lines elsewhere. Ctrl-C says what is kept."""
    try:
        with SearchDisplay(err) as display:
            yield display.progress
    except KeyboardInterrupt:
        err.print(f"Stopped. {kept}: the same command goes on where it was")
        raise


def print_report(report: AttackReport, per_class: bool) -> None:
    """Tables on standard output; warnings and failures on standard error."""
    attacked = [model for model in report.models if model.result is not None]
    names = [model.name for model in report.models]
    titles = dict(zip(names, short_names(names), strict=True))
    if attacked:
        print_table(attacks_table(report, attacked, titles))
        for model in attacked if per_class else []:
            print_table(classes_table(model, titles))
        if report.compared:
            print_table(comparisons_table(report.compared, titles))
        for model in attacked:
            _print_broken(model, titles[model.name] if len(attacked) > 1 else "it")
    for model in report.models:
        for held_out in model.held_out:
            print_table(held_out_table(held_out, titles[model.name] if len(names) > 1 else ""))
    for model in report.models:
        if model.failure:
            print_message("failed", "red", model.failure)
    for warning in report.warnings:
        print_message("warning", "yellow", warning)


def _print_broken(model: AttackedModel, title: str) -> None:
    if not model.broken:
        return
    out.print(Text(f"What fooled {title}, with the fewest changed words first", "italic"))
    for one in model.broken:
        head = f"{one.attack}, row {one.row}: {one.label} -> {one.predicted}, {one.changed} of {one.words} words, "
        out.print(Text(f"{head}{one.queries} queries", "dim"), soft_wrap=True)
        plain = out.no_color or not out.is_terminal
        for original, perturbed in zip(one.original, one.perturbed, strict=True):
            for sign, text in zip("-+", marked(original, perturbed, plain), strict=True):
                out.print(Text(f"  {sign} ").append_text(text), soft_wrap=True)
    out.print()


def marked(original: str, perturbed: str, plain: bool) -> tuple[Text, Text]:
    """Both texts with the words that differ in colour; `plain`, in double brackets."""
    pieces: list[list[str]] = [re.findall(r"\w+|\W", text) for text in (original, perturbed)]
    texts = (Text(), Text())
    for kind, *ends in SequenceMatcher(None, pieces[0], pieces[1], autojunk=False).get_opcodes():
        for text, words, (start, end), style in zip(
            texts, pieces, (ends[:2], ends[2:]), ("bold green", "bold red"), strict=True
        ):
            piece = "".join(words[start:end])
            if kind == "equal" or not piece:
                text.append(piece)
            else:
                text.append(f"[[{piece}]]" if plain else piece, "" if plain else style)
    return texts
