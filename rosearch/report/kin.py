"""The kin of one record, and what each attack broke of it: tables of `rosearch show`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rosearch.measurements import Robustness
from rosearch.records.record import Record
from rosearch.report.data import PERCENT, THOUSANDTHS, Column, Row, Table, Unit
from rosearch.run.results import Results

_MOST_CHILDREN = 20
_GAIN = Unit(decimals=3, style="+")


def kin_table(results: Results, record: Record) -> Table:
    """Parents and children with their fitness; the gain is that of the child over this parent. Empty without kin."""
    children = list(_children(results, record))
    left_out = len(children) - _MOST_CHILDREN
    notes = (f"{left_out:,} further children are left out",) if left_out > 0 else ()
    columns = (
        Column("", align="left"),
        Column("student", align="left", whole=True),
        Column("made by", align="left"),
        Column("fitness", THOUSANDTHS),
        Column("gain", _GAIN),
        Column("missed gates", align="left", missing="", spare=1),
    )
    rows = (*_parents(results, record), *children[:_MOST_CHILDREN])
    return Table("Parents and children", columns, rows, notes)


def _parents(results: Results, record: Record) -> Iterator[Row]:
    first = {one.id: one for one in reversed(results.of("candidate"))} if record.parents else {}
    for parent in dict.fromkeys(record.parents):
        if (found := first.get(parent)) is None:
            yield Row(("parent", parent[:8], "not of this run"))
        else:
            yield _kin(results, "parent", found, _gain(results, found, record))


def _children(results: Results, record: Record) -> Iterator[Row]:
    """The best first. A finalist has those of the candidate that it retrains."""
    candidates = (one.anew() for one in results.of("candidate"))
    found = [one for one in candidates if record.id in one.parents and one.number != record.number]
    found.sort(key=lambda one: -_fitness(results, one, -1.0))
    for child in found:
        yield _kin(results, "child", child, _gain(results, record, child))


def _kin(results: Results, part: str, record: Record, gain: float | None) -> Row:
    fitness = results.fitness.get(record.number)
    gates = "" if fitness is None else " ".join(fitness.gates)
    scalar = None if fitness is None else fitness.scalar
    return Row((part, f"#{record.number} {record.label}", record.origin, scalar, gain, gates or None))


def _fitness(results: Results, record: Record, without: float) -> float:
    fitness = results.fitness.get(record.number)
    return without if fitness is None else fitness.scalar


def _gain(results: Results, parent: Record, child: Record) -> float | None:
    one, other = results.fitness.get(parent.number), results.fitness.get(child.number)
    return None if one is None or other is None else other.scalar - one.scalar


def broken_table(attacks: Sequence[Robustness]) -> Table:
    """The rows that each attack broke, and those that no other attack of the suite did. Empty without outcomes."""
    known = [attack for attack in attacks if attack.outcomes]
    rows = []
    for attack in known:
        broken = _broken(attack)
        others = set[int]().union(*(_broken(other) for other in known if other is not attack))
        alone = len(broken - others) if len(known) > 1 else None
        right = sum(outcome != "m" for outcome in attack.outcomes)
        words = attack.perturbed_words.value if broken else None
        rows.append(Row((attack.attack, right, len(broken), alone, words)))
    columns = (
        Column("attack", align="left"),
        Column("right before"),
        Column("broken"),
        Column("by it alone", missing=""),
        Column("words changed", PERCENT),
    )
    notes: tuple[str, ...] = ()
    if len(known) > 1 and len({len(attack.outcomes) for attack in known}) == 1:
        stood = sum(
            all(outcome in "sq" for outcome in row) for row in zip(*(one.outcomes for one in known), strict=True)
        )
        notes = (f"{stood} of {len(known[0].outcomes)} rows were right under every attack",)
    return Table("What each attack broke", columns, tuple(rows), notes)


def _broken(attack: Robustness) -> set[int]:
    """Positions of the rows that were right before it and wrong after it."""
    return {row for row, outcome in enumerate(attack.outcomes) if outcome in "bet"}
