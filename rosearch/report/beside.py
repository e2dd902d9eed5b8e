"""Runs side by side: what each has reached at equal cost, and the keys in which their experiments differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from rosearch.report.comparable import obstacles
from rosearch.report.curves import Cost, Curve
from rosearch.report.data import GROUPED, THOUSANDTHS, Column, Row, Table, Unit, lefts
from rosearch.run.results import Results

_MINUTES = Unit(" min", 1, style=",")
_UNCOMPARED = ("name", "search_space")  # the names of a run and of its snapshot say nothing of how it searched


def beside_tables(runs: Sequence[Results], curves: Sequence[Curve]) -> list[Table]:
    """The runs at the cost that all of them have spent, and the keys that differ."""
    return [_reached(runs, curves), differences_table(runs, [one.name for one in curves])]


def run_names(runs: Sequence[Results]) -> list[str]:
    """The names of the folders; where two are the same, with the folder above."""
    names = [results.run.path.resolve().name for results in runs]
    if len(set(names)) == len(names):
        return names
    return [f"{results.run.path.resolve().parent.name}/{name}" for results, name in zip(runs, names, strict=True)]


def _reached(runs: Sequence[Results], curves: Sequence[Curve]) -> Table:
    candidates = min(len(one.work) for one in curves)
    work = min((one.work[-1] if one.work else 0.0) for one in curves)
    rows = []
    for results, one in zip(runs, curves, strict=True):
        shares: list[float | None] = [*_both(one, "candidates", float(candidates)), *_both(one, "work", work)]
        total = one.work[-1] if one.work else 0.0
        rows.append(Row((one.name, results.experiment.evolution.strategy, len(one.work), total, *shares)))
    columns = (
        Column("run", align="left", whole=True),
        Column("strategy", align="left"),
        Column("candidates", GROUPED),
        Column("work", _MINUTES),
        Column(f"fitness at {candidates:,} candidates", THOUSANDTHS),
        Column(f"hypervolume at {candidates:,} candidates", THOUSANDTHS),
        Column(f"fitness at {work:,.1f} min", THOUSANDTHS),
        Column(f"hypervolume at {work:,.1f} min", THOUSANDTHS),
    )
    return Table("At equal cost", columns, tuple(rows), tuple(_notes(runs)))


def _both(one: Curve, cost: Cost, end: float) -> tuple[float | None, float | None]:
    return one.at(cost, end, "best"), one.at(cost, end, "volume")


def _notes(runs: Sequence[Results]) -> Iterator[str]:
    """All that stands in the way of a comparison."""
    yield from obstacles(runs)
    if len({run.experiment.seed for run in runs}) == len(runs) > 1:
        yield "each run has a seed of its own; one run a setting does not tell a better setting from luck"


def differences_table(runs: Sequence[Results], names: Sequence[str]) -> Table:
    """A row for each key of the experiments and their search spaces that is not the same in all runs.

    Runs of one name share a column, which tells all their values.
    """
    flat = [dict(_settings(run)) for run in runs]
    keys = dict.fromkeys(key for one in flat for key in one)
    differing = [key for key in keys if key not in _UNCOMPARED and len({repr(one.get(key)) for one in flat}) > 1]
    rows = []
    for key in differing:
        told: dict[str, dict[str, None]] = {name: {} for name in names}
        for name, one in zip(names, flat, strict=True):
            told[name][_told(one.get(key))] = None
        rows.append(Row((key, *(", ".join(values) for values in told.values()))))
    notes = () if rows else ("the experiments are the same in every key",)
    return Table("Keys that differ", lefts("key", *dict.fromkeys(names)), tuple(rows), notes)


def _settings(run: Results) -> Iterator[tuple[str, Any]]:
    """The keys of the experiment, then those of the search space as `space.KEY`."""
    yield from _leaves(run.experiment.model_dump(mode="json"))
    yield from _leaves(yaml.safe_load(run.run.search_space.read_text(encoding="utf-8")), "space")


def _leaves(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict) and data:
        for name, value in data.items():
            yield from _leaves(value, f"{path}.{name}" if path else str(name))
    else:
        yield path, data


def _told(value: Any) -> str:
    return "-" if value is None else str(value)
