"""What `rosearch attack` prints: tables of attacks, comparisons, held-out sets, resources; what fooled a model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rosearch.measurements import Estimate, Robustness
from rosearch.progress import Progress
from rosearch.terminal.progress import SearchDisplay
from rosearch.terminal.run import err, interval, out
from rosearch.terminal.table import percent

if TYPE_CHECKING:
    from rosearch.attack.measure import AttackState
    from rosearch.attack.report import AttackedModel, AttackReport, Compared
    from rosearch.evaluation.heldout import HeldOutScore, Score
    from rosearch.resources.resources import Resources

_LONGEST_NAME = 24


@contextmanager
def watched() -> Iterator[Progress]:
    """Progress on standard error: bars on a terminal, lines elsewhere. Ctrl-C says what is left behind."""
    try:
        with SearchDisplay(err) as display:
            yield lambda stage, done, total: display.progress(escape(stage), done, total)
    except KeyboardInterrupt:
        err.print("Stopped; nothing was recorded. Compiled plans are kept, the next attack starts faster")
        raise


def print_json(value: dict[str, Any]) -> None:
    """On standard output, and nothing else there."""
    print(json.dumps(value, indent=2, allow_nan=False))


def report_json(report: AttackReport) -> dict[str, Any]:
    """Everything that was measured; `outcomes` and `shares` of each attack have one entry a row of `rows`."""
    return {
        "data": report.where,
        "available": report.available,
        "device": report.device,
        "models": [_model_json(model) for model in report.models],
        "comparisons": [
            {"attack": one.attack, **asdict(one.comparison), "p_holm": one.p_holm, "separated": one.separated}
            for one in report.compared
        ],
        "warnings": list(report.warnings),
    }


def _model_json(model: AttackedModel) -> dict[str, Any]:
    data: dict[str, Any] = {"model": model.name, "labels": list(model.labels), "max_length": model.max_length}
    if model.failure:
        data["failure"] = model.failure
    if (result := model.result) is not None:
        data |= {"rows": list(result.rows), "worst": asdict(result.worst)}
        data |= {"attacks": [asdict(one) for one in result.attacks]}
        data |= {"single_swaps": [asdict(one) for one in result.single_swaps]}
        data |= {"collapse": model.collapse, "fooled": [asdict(one) for one in model.fooled]}
    return data | {"held_out": [asdict(one) for one in model.held_out]}


def print_report(report: AttackReport, per_class: bool) -> None:
    """Tables on standard output; warnings and failures on standard error."""
    attacked = [model for model in report.models if model.result is not None]
    names = [model.name for model in report.models]
    titles = dict(zip(names, short_names(names), strict=True))
    if attacked:
        out.print(_attacks_table(report, attacked, titles))
        for model in attacked if per_class else []:
            out.print(_classes_table(model, titles))
        if report.compared:
            out.print(_comparison_table(report.compared, titles))
        for model in attacked:
            _print_fooled(model, titles[model.name] if len(attacked) > 1 else "it")
    for model in report.models:
        for held_out in model.held_out:
            out.print(_held_out_table(held_out, titles[model.name] if len(names) > 1 else ""))
    for model in report.models:
        if model.failure:
            err.print(f"[red]failed[/] {escape(model.failure)}", highlight=False, soft_wrap=True)
    for warning in report.warnings:
        err.print(f"[yellow]warning[/] {escape(warning)}", highlight=False, soft_wrap=True)


def short_names(names: Sequence[str]) -> list[str]:
    """The ends of the paths that tell them apart, cut to fit into a table."""
    parts = [[part for part in name.split("/") if part] or [name] for name in names]
    depth = 1
    while depth < max(map(len, parts)) and len({tuple(one[-depth:]) for one in parts}) < len(set(names)):
        depth += 1
    ends = ["/".join(one[-depth:]) for one in parts]
    return [end if len(end) <= _LONGEST_NAME else f"{end[: _LONGEST_NAME - 3]}..." for end in ends]


def _plain(title: str, columns: Sequence[str], left: int = 1) -> Table:
    """Without vertical lines: ten columns of figures must fit into a hundred letters."""
    table = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < left else "right", no_wrap=place >= left, overflow="fold")
    return table


# A column a figure; one that no attack has is left out.
_FIGURES: dict[str, Callable[[Robustness], str]] = {
    "clean": lambda r: f"{r.clean.value:.1%}",
    "under\nattack": lambda r: percent(r.under_attack),
    "success\nrate": lambda r: f"{r.success_rate.value:.1%}",
    "queries\n(distinct)": lambda r: (
        _mean(r.queries) + (f" ({_mean(r.distinct_queries)})" if r.distinct_queries else "")
    ),
    "words to\nbreak": lambda r: f"{r.words_to_break.value:.3f}",
    "perturbed\nwords": lambda r: f"{r.perturbed_words.value:.1%}" if r.perturbed_words.n else "-",
    "simil-\narity": lambda r: f"{r.similarity.value:.3f}" if r.similarity else "",
}


def _mean(estimate: Estimate | None) -> str:
    return "-" if estimate is None or not estimate.n else f"{estimate.value:.1f}"


def _attacks_table(report: AttackReport, attacked: Sequence[AttackedModel], titles: Mapping[str, str]) -> Table:
    shown = [(model, one) for model in attacked for one in _lines(model)]
    figures = {name: show for name, show in _FIGURES.items() if any(show(one) for _, one in shown)}
    worst = shown[0][1]
    title = f"{report.where}: {worst.n} of {report.available} rows, seed {worst.seed}, {report.device}"
    table = _plain(escape(title), ("attack", *figures))
    for model in attacked:
        if len(attacked) > 1:
            table.add_row(Text(titles[model.name], "bold"))
        for one in _lines(model):
            several = model.result is not None and one is model.result.worst
            name = "worst case" if several and len(_lines(model)) > 1 else one.attack
            table.add_row(escape(name), *(show(one) for show in figures.values()), style="bold" if several else "")
    table.caption = escape("\n".join(_footnotes(attacked, titles)))
    return table


def _lines(model: AttackedModel) -> tuple[Robustness, ...]:
    """Each attack, and the worst case of each row where there are several."""
    assert model.result is not None
    return (*model.result.attacks, model.result.worst)[: 1 if len(model.result.attacks) == 1 else None]


def _footnotes(attacked: Sequence[AttackedModel], titles: Mapping[str, str]) -> list[str]:
    from rosearch.evaluation.attacks.recipes import RECIPES

    alone = [(model, one) for model in attacked if model.result is not None for one in model.result.attacks]
    notes = [f"{one.attack}: {one.differs}" for _, one in alone if one.differs]
    notes += [f"{one.attack}: {note}" for _, one in alone if (note := RECIPES[one.attack].note)]
    several = len(attacked) > 1
    for model, one in alone:
        where = f"{one.attack} on {titles[model.name]}" if several else one.attack
        notes += [f"{where}: {note}" for note in one.notes]
    for model in attacked:
        for swaps in model.result.single_swaps if model.result else ():
            where = f" on {titles[model.name]}" if several else ""
            notes.append(
                f"single swaps of {swaps.attack}{where}: right on all of {swaps.texts} texts in "
                f"{percent(swaps.worst)} of {swaps.n} rows, margin {interval(swaps.margin)}"
            )
    seconds = sum(one.seconds for _, one in alone)
    notes.append(
        "misclassified rows count as broken; shares and queries are means over rows; intervals are of 95 %; "
        f"attacked in {seconds:.1f} s"
    )
    return list(dict.fromkeys(notes))


def _classes_table(model: AttackedModel, titles: Mapping[str, str]) -> Table:
    lines = _lines(model)
    table = _plain(
        f"{escape(titles[model.name])}, by class", ("class", "attack", "rows", "clean", "under attack"), left=2
    )
    for one in lines:
        name = "worst case" if len(lines) > 1 and one is lines[-1] else one.attack
        for kind in one.per_class:
            cells = (str(kind.n), percent(kind.clean), percent(kind.under_attack))
            table.add_row(escape(model.labels[kind.label]), escape(name), *cells)
    return table


def _comparison_table(compared: Sequence[Compared], titles: Mapping[str, str]) -> Table:
    others = list(dict.fromkeys(one.comparison.first for one in compared))
    reference = titles[compared[0].comparison.second]
    title = f"{titles[others[0]] if len(others) == 1 else 'Others'} against {reference}, same rows and plans"
    table = _plain(escape(title), ("attack", "under attack", "p", "words to break", "p", "verdict"))
    for other in others:
        if len(others) > 1:
            table.add_row(Text(titles[other], "bold"))
        for one in compared:
            if one.comparison.first != other:
                continue
            found = one.comparison
            table.add_row(
                escape("worst case" if one.attack.startswith("worst of ") else one.attack),
                _points(found.survival.difference),
                f"{one.p_holm:.3f}",
                _points(found.words_to_break.difference),
                f"{found.words_to_break.p:.3f}",
                "separated" if one.separated else "[yellow]not separated[/]",
            )
    adjusted = f" adjusted for {len(others)} models (Holm)" if len(others) > 1 else ""
    table.caption = f"differences in points, 95 % intervals; McNemar's p{adjusted}; bootstrap, p by flips of signs"
    return table


def _points(difference: Estimate) -> str:
    value, low, high = (100 * part for part in (difference.value, difference.low, difference.high))
    return f"{value:+.1f} [{low:.1f}, {high:.1f}]"


def _print_fooled(model: AttackedModel, title: str) -> None:
    if not model.fooled:
        return
    out.print(Text(f"What fooled {title}, with the fewest changed words first", "italic"))
    for one in model.fooled:
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


def _held_out_table(found: HeldOutScore, model: str) -> Table:
    task, of = f" ({found.task})" if found.task else "", f", {model}" if model else ""
    title = f"{found.name}{task}{of}: {found.overall.n} rows"
    scores = {"all": found.overall, **found.groups}
    columns: Mapping[str, Callable[[Score], Estimate | None]] = {
        "accuracy": lambda s: s.accuracy,
        "consistency": lambda s: s.consistency,
        "invariance": lambda s: s.invariance,
    }
    kept = {name: get for name, get in columns.items() if any(get(one) for one in scores.values())}
    table = _plain(escape(title), ("group", "rows", *kept))
    for group, one in scores.items():
        cells = ("-" if (value := get(one)) is None else percent(value) for get in kept.values())
        worst = " (worst)" if group == found.worst_group and len(found.groups) > 1 else ""
        table.add_row(escape(group) + worst, str(one.n), *cells)
    return table


def print_resources(resources: Resources, states: Sequence[AttackState]) -> None:
    """What is there, what it is for and how to get the rest; then every attack, and whether it runs here."""
    folder = resources.folder or "none; name one with --resources or the environment variable ROSEARCH_RESOURCES"
    out.print(Text(f"Folder: {folder}"), soft_wrap=True)
    found = resources.check()
    table = _plain("Resources", ("resource", "found", "for"), left=3)
    for one in found:
        place = " ".join(filter(None, (one.edition, one.place.removeprefix(f"{resources.folder}/"))))
        table.add_row(one.name, Text(place) if one.found else Text("no", "yellow"), one.purpose)
    out.print(table)
    for one in found:
        if not one.found:
            out.print(Text(f"  {one.name}: {one.hint}"), soft_wrap=True)
    attacks = _plain("Attacks", ("attack", "runs", "differs from the stock recipe; or why it does not run"), left=3)
    for state in states:
        runs = "yes" if state.runs_as == state.name else f"as {state.runs_as}"
        said = "; ".join(filter(None, (state.missing and f"needs {state.missing}", state.differs, state.note)))
        attacks.add_row(state.name, "[yellow]no[/]" if state.missing else runs, escape(said))
    out.print(attacks)


def resources_json(resources: Resources, states: Sequence[AttackState]) -> dict[str, Any]:
    """The same as data."""
    folder = None if resources.folder is None else str(resources.folder)
    attacks = [asdict(state) | {"runs": not state.missing} for state in states]
    return {"folder": folder, "resources": [asdict(one) for one in resources.check()], "attacks": attacks}
