"""A report of attacks as tables to read and as JSON data; docs/json.md describes the keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rosearch.attack.measure import AttackState
from rosearch.attack.report import AttackedModel, AttackReport, Compared
from rosearch.evaluation.attacks.recipes import RECIPES
from rosearch.evaluation.heldout import HeldOutScore, Score
from rosearch.measurements import Estimate, Robustness
from rosearch.report.data import (
    PERCENT,
    POINTS,
    SHARE,
    THOUSANDTHS,
    Cell,
    Column,
    Row,
    Table,
    Value,
    interval,
    lefts,
    percent,
)
from rosearch.resources.resources import Resources

_LONGEST_NAME = 24


def short_names(names: Sequence[str]) -> list[str]:
    """The ends of the paths that tell them apart, cut to fit into a table."""
    parts = [[part for part in name.split("/") if part] or [name] for name in names]
    depth = 1
    while depth < max(map(len, parts)) and len({tuple(one[-depth:]) for one in parts}) < len(set(names)):
        depth += 1
    ends = ["/".join(one[-depth:]) for one in parts]
    return [end if len(end) <= _LONGEST_NAME else f"{end[:11]}...{end[-_LONGEST_NAME + 14 :]}" for end in ends]


def _queries(robustness: Robustness) -> str:
    distinct = f" ({_mean(robustness.distinct_queries)})" if robustness.distinct_queries else ""
    return _mean(robustness.queries) + distinct


def _mean(estimate: Estimate | None) -> str:
    return "-" if estimate is None or not estimate.n else f"{estimate.value:.1f}"


# A column for each figure; one that no attack has is left out.
_FIGURES: tuple[tuple[Column, Callable[[Robustness], Value]], ...] = (
    (Column("clean", SHARE), lambda r: r.clean),
    (Column("under attack", PERCENT, heading="under\nattack"), lambda r: r.under_attack),
    (Column("success rate", SHARE, heading="success\nrate", spare=3), lambda r: r.success_rate),
    (Column("queries (distinct)", heading="queries\n(distinct)", spare=1), _queries),
    (Column("words to break", SHARE, heading="words to\nbreak", spare=2), lambda r: r.words_to_break),
    (
        Column("perturbed words", SHARE, heading="perturbed\nwords", spare=4),
        lambda r: r.perturbed_words if r.perturbed_words.n else None,
    ),
    (Column("similarity", THOUSANDTHS, missing="", heading="simil-\narity", spare=4), lambda r: r.similarity),
)


def attacks_table(report: AttackReport, attacked: Sequence[AttackedModel], titles: Mapping[str, str]) -> Table:
    """Each attack on each model, and the worst case of its rows. `titles` are the models' short names."""
    shown = [one for model in attacked for one in _lines(model)]
    figures = [(column, read) for column, read in _FIGURES if any(column.text(read(one)) for one in shown)]
    title = f"{report.where}: {shown[0].n} of {report.available} rows, seed {shown[0].seed}, {report.device}"
    rows = []
    for model in attacked:
        if len(attacked) > 1:
            rows.append(Row((Cell(titles[model.name], emphasis="strong"),)))
        for name, one in _named(model):
            worst = model.result is not None and one is model.result.worst
            rows.append(Row((name, *(read(one) for _, read in figures)), "strong" if worst else ""))
    columns = (*lefts("attack"), *(column for column, _ in figures))
    read = [f"read from the columns {', '.join(report.columns)}"] if report.columns else []
    read += [f"rows without a text or a label, left out: {report.dropped}"] if report.dropped else []
    return Table(title, columns, tuple(rows), (*read, *_footnotes(attacked, titles)))


def _lines(model: AttackedModel) -> tuple[Robustness, ...]:
    """Each attack, and the worst case of each row where there are several."""
    assert model.result is not None
    return (*model.result.attacks, model.result.worst)[: 1 if len(model.result.attacks) == 1 else None]


def _named(model: AttackedModel) -> Iterator[tuple[str, Robustness]]:
    """Each line with its name."""
    lines = _lines(model)
    for one in lines:
        yield "worst case" if len(lines) > 1 and one is lines[-1] else one.attack, one


def _footnotes(attacked: Sequence[AttackedModel], titles: Mapping[str, str]) -> list[str]:
    alone = [(model, one) for model in attacked if model.result is not None for one in model.result.attacks]
    notes = [f"{one.attack}: {one.differs}" for _, one in alone if one.differs]
    notes += [
        f"{one.attack}: {note}" for _, one in alone if one.attack in RECIPES and (note := RECIPES[one.attack].note)
    ]
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
    notes += [
        f"{titles[model.name]}: {_cut(model.cut, model.result.worst.n)}"
        for model in attacked
        if model.cut and model.result
    ]
    if known := sum(model.result.known for model in attacked if model.result):
        notes.append(f"{known} rows were attacked before a command like this was stopped; seconds leave them out")
    seconds = sum(one.seconds for _, one in alone)
    notes.append(
        "misclassified rows count as broken; shares and queries are means over rows; intervals are of 95 %; "
        f"attacked in {seconds:.1f} s"
    )
    return list(dict.fromkeys(notes))


def classes_table(model: AttackedModel, titles: Mapping[str, str]) -> Table:
    """Each attack by the true class of the rows."""
    rows = [
        Row((model.labels[kind.label], name, kind.n, kind.clean, kind.under_attack))
        for name, one in _named(model)
        for kind in one.per_class
    ]
    columns = (*lefts("class", "attack"), Column("rows"), Column("clean", PERCENT), Column("under attack", PERCENT))
    return Table(f"{titles[model.name]}, by class", columns, tuple(rows))


def comparisons_table(compared: Sequence[Compared], titles: Mapping[str, str]) -> Table:
    """Each model against the first one."""
    others = list(dict.fromkeys(one.comparison.first for one in compared))
    reference = titles[compared[0].comparison.second]
    title = f"{titles[others[0]] if len(others) == 1 else 'Others'} against {reference}, same rows and plans"
    rows = []
    for other in others:
        if len(others) > 1:
            rows.append(Row((Cell(titles[other], emphasis="strong"),)))
        rows += [_compared_row(one) for one in compared if one.comparison.first == other]
    columns = (
        *lefts("attack"),
        Column("under attack", POINTS),
        Column("p", THOUSANDTHS),
        Column("words to break", POINTS, spare=1),
        Column("its p", THOUSANDTHS, spare=2),
    )
    adjusted = f" adjusted for {len(others)} models (Holm)" if len(others) > 1 else ""
    note = f"differences in percentage points, 95 % intervals; McNemar's p{adjusted}; bootstrap, p by flips of signs"
    verdicts = (_verdict(one, titles[one.comparison.first], reference) for one in compared)
    return Table(title, columns, tuple(rows), (*verdicts, note))


def _verdict(one: Compared, model: str, reference: str) -> str:
    """E.g. `Under pruthi, small keeps 12.0 points fewer of the 50 rows than large: they are told apart.`"""
    found, under = one.comparison, f"Under {_attack_words(one)},"
    if not one.separated:
        return f"{under} {model} and {reference} cannot be told apart on {found.n:,} rows."
    lead = found.survival.difference.value
    points = f"{abs(100 * lead):.1f} points {'more' if lead > 0 else 'fewer'} of the {found.n:,} rows"
    return f"{under} {model} keeps {points} than {reference}: they are told apart."


def _attack_words(one: Compared) -> str:
    return "the worst case" if one.attack.startswith("worst of ") else one.attack


def _compared_row(one: Compared) -> Row:
    found = one.comparison
    return Row(
        (
            "worst case" if one.attack.startswith("worst of ") else one.attack,
            found.survival.difference,
            one.p_holm,
            found.words_to_break.difference,
            found.words_to_break.p,
        )
    )


def held_out_table(found: HeldOutScore, model: str) -> Table:
    """A held-out set, whole and by group; `model` is named in the title where there are several."""
    task, of = f" ({found.task})" if found.task else "", f", {model}" if model else ""
    scores = {"all": found.overall, **found.groups}
    figures: Mapping[str, Callable[[Score], Estimate | None]] = {
        "accuracy": lambda s: s.accuracy,
        "consistency": lambda s: s.consistency,
        "invariance": lambda s: s.invariance,
    }
    kept = {name: read for name, read in figures.items() if any(read(one) for one in scores.values())}
    rows = []
    for group, one in scores.items():
        worst = " (worst)" if group == found.worst_group and len(found.groups) > 1 else ""
        rows.append(Row((Cell(group, note=worst), one.n, *(read(one) for read in kept.values()))))
    columns = (*lefts("group"), Column("rows"), *(Column(name, PERCENT) for name in kept))
    notes = [f"read from the columns {', '.join(found.columns)}"] if found.columns else []
    notes += [f"rows without a text or a label, left out: {found.dropped}"] if found.dropped else []
    notes += [_cut(found.cut, found.overall.n)] if found.cut else []
    return Table(f"{found.name}{task}{of}: {found.overall.n} rows", columns, tuple(rows), tuple(notes))


def _cut(rows: int, of: int) -> str:
    return f"{rows} of {of} rows are longer than the model reads, or --max-length: they were cut"


def resources_table(resources: Resources) -> Table:
    """The local files that attacks may need: the ones that are there, and their purpose."""
    rows = []
    for one in resources.check():
        place = " ".join(filter(None, (one.edition, one.place.removeprefix(f"{resources.folder}/"))))
        rows.append(Row((one.name, place if one.found else Cell("no", emphasis="warning"), one.purpose)))
    folder = resources.folder or "none; name one with --resources or the environment variable ROSEARCH_RESOURCES"
    absent = (f"{one.name}: {one.hint}" for one in resources.check() if not one.found)
    return Table("Resources", lefts("resource", "found", "for"), tuple(rows), (f"Folder: {folder}", *absent))


def states_table(states: Sequence[AttackState]) -> Table:
    """Every attack, and whether it runs here."""
    rows = []
    for state in states:
        runs = "yes" if state.runs_as == state.name else f"as {state.runs_as}"
        said = "; ".join(filter(None, (state.missing and f"needs {state.missing}", state.differs, state.note)))
        rows.append(Row((state.name, Cell("no", emphasis="warning") if state.missing else runs, said)))
    columns = lefts("attack", "runs", "differs from the stock recipe; or why it does not run")
    return Table("Attacks", columns, tuple(rows))


def report_json(report: AttackReport) -> dict[str, Any]:
    """All that was measured; `outcomes` and `shares` of each attack have one entry for each of `rows`."""
    return {
        "data": report.where,
        "columns": list(report.columns),
        "dropped": report.dropped,
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
    data["target"] = model.target
    data["cut"] = model.cut
    if model.failure:
        data["failure"] = model.failure
    if (result := model.result) is not None:
        data |= {"rows": list(result.rows), "worst": asdict(result.worst)}
        data |= {"attacks": [asdict(one) for one in result.attacks]}
        data |= {"single_swaps": [asdict(one) for one in result.single_swaps]}
        data["known"] = result.known
        data |= {"collapse": model.collapse, "fooled": [asdict(one) for one in model.broken]}
    return data | {"held_out": [asdict(one) for one in model.held_out]}


def resources_json(resources: Resources, states: Sequence[AttackState]) -> dict[str, Any]:
    """The resources and the attacks, and whether each attack runs here."""
    folder = None if resources.folder is None else str(resources.folder)
    attacks = [asdict(state) | {"runs": not state.missing} for state in states]
    return {"folder": folder, "resources": [asdict(one) for one in resources.check()], "attacks": attacks}
