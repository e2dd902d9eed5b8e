"""The gates of a format that changes answers: what it keeps of the float32 file, and whether it is faster.

>>> gates = gates_of(figures, "word table in int8")  # of both files on the same rows
>>> print(gates)
word table in int8: predicted as in float32 99.43 % of 872 rows, 5 otherwise (at least 99.0 %); accuracy under ...
>>> written = first_that_passes([gates], "model_quantized.onnx")  # raises where each way misses a gate

They lie beside the file as `model_quantized.json`, and in the model card of the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rosearch.errors import BadInput, RunError, told_apart
from rosearch.export.markdown import as_text, table
from rosearch.files import damaged, write_whole
from rosearch.measurements import FormatFigures
from rosearch.models.engines import ENGINES
from rosearch.models.places import require_undamaged

LEAST_ALIKE = 0.99  # of the rows, predicted as in float32
_MARK = "<!-- rosearch: formats -->"


@dataclass(frozen=True)
class Gate:
    """One gate: what was measured, in words, and the bar."""

    name: str
    got: str
    bar: str
    passed: bool

    def __str__(self) -> str:
        return f"{self.name} {self.got} ({self.bar})"


@dataclass(frozen=True)
class Gates:
    """All gates of a file. `forced`: it was to be written whatever they say."""

    figures: FormatFigures
    gates: tuple[Gate, ...]
    forced: bool = False
    way: str = ""  # in which it was quantised, in words; "": files of older versions do not say
    others: tuple[Gates, ...] = ()  # of the ways that were tried and not written

    @property
    def failed(self) -> tuple[Gate, ...]:
        """Those that it misses."""
        return tuple(gate for gate in self.gates if not gate.passed)

    @property
    def apart(self) -> float:
        """The share of rows that are predicted otherwise than in float32."""
        return 1 - self.figures.same.value

    def __str__(self) -> str:
        missed = f"; it misses a gate: {', '.join(one.name for one in self.failed)}" if self.failed else ""
        way = f"{self.way}: " if self.way else ""
        others = "".join(f"; not written: {one.missed}" for one in self.others)
        return way + "; ".join(map(str, self.gates)) + missed + others

    @property
    def missed(self) -> str:
        """The gates that it misses and by how much, in words."""
        told = "; ".join(map(str, self.failed))
        return f"{self.way}, which misses {len(self.failed)} of {len(self.gates)} gates: {told}"

    def to_dict(self) -> dict[str, Any]:
        """The way that was written, and each that was tried with the gates that it misses, as plain data."""
        tried = {one.way: one for one in (self, *self.others)}
        return {
            "way": self.way,
            "tried": {way: {gate.name: str(gate) for gate in one.failed} for way, one in tried.items()},
        }

    def write(self, path: Path) -> None:
        """Writes them as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Gates:
        """Those in a file. Raises `BadInput` where it is damaged."""
        try:
            return _ADAPTER.validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise BadInput(damaged(path, str(error).splitlines()[0])) from None


_ADAPTER = TypeAdapter(Gates)


def gates_of(figures: FormatFigures, way: str) -> Gates:
    """The gates by the figures of both files; `way` says in words how the other one was made."""
    return Gates(figures, tuple(_gates(figures)), way=way)


def _gates(figures: FormatFigures) -> Iterator[Gate]:
    same, fast, slow = figures.same, figures.ms, figures.exact_ms
    other = round(same.n * (1 - same.value))
    share, least = told_apart(100 * same.value, 100 * LEAST_ALIKE, 2)
    alike = f"{share} % of {same.n} rows, {other} otherwise"
    yield Gate("predicted as in float32", alike, f"at least {least} %", same.value >= LEAST_ALIKE)
    for attack in figures.attacks:
        got, exact = attack.under_attack, attack.exact
        share, least = told_apart(100 * got.value, 100 * exact.low, 1)
        bar = f"at least {least} %, the interval of float32 from {100 * exact.value:.1f} % down"
        yield Gate(f"accuracy under {attack.attack}", f"{share} %", bar, got.value >= exact.low)
    ms, most = told_apart(fast, slow, 2)
    yield Gate("milliseconds a text, one at a time", ms, f"below {most}, float32's", fast < slow)


def first_that_passes(tried: Sequence[Gates], name: str, *, force: bool = False) -> Gates:
    """The gates of the way that is written, with those of the others: the first that misses none.

    With `force` it is the first of those that miss the fewest. Otherwise raises `RunError` with every gate that each
    way misses.
    """
    best = min(tried, key=lambda one: len(one.failed))
    if best.failed and not force:
        raise RunError(f"{name}: not written: {'; '.join(one.missed for one in tried)}")
    return replace(best, forced=force, others=tuple(one for one in tried if one is not best))


def gates_in(folder: Path) -> Gates | None:
    """The gates of the int8 file in an exported folder; None where there is no such file."""
    path = (folder / ENGINES["int8"].file).with_suffix(".json")
    if not path.is_file():
        return None
    require_undamaged(path.parent)
    return Gates.read(path)


def tell_in_card(folder: Path) -> None:
    """Writes the gates of the int8 file in a folder into its model card, or takes them out where there is none."""
    path = folder / "README.md"
    if not path.is_file():
        return
    card, gates = path.read_text(encoding="utf-8"), gates_in(folder)
    told = without_formats(card) + (f"\n{_MARK}\n\n{_section(gates)}" if gates else "")
    if told != card:
        write_whole(path, told)


def untold(folder: Path) -> list[str]:
    """The lines on int8 that the model card of a folder should have and has not."""
    gates = gates_in(folder)
    there = {line.strip() for line in (folder / "README.md").read_text(encoding="utf-8", errors="replace").splitlines()}
    return [line for line in _section(gates).splitlines() if line and line not in there] if gates else []


def tells_of_int8(folder: Path) -> bool:
    """True where the model card of a folder has a section on int8."""
    return _MARK in (folder / "README.md").read_text(encoding="utf-8", errors="replace")


def without_formats(card: str) -> str:
    """A model card as it was before formats were told in it."""
    return card.partition(f"\n{_MARK}")[0]


def _section(gates: Gates) -> str:
    rows = [(gate.name, gate.got, gate.bar, "yes" if gate.passed else "no") for gate in gates.gates]
    title = "## int8" if not gates.failed else "## int8, which misses gates"
    warned = "It was written although it misses a gate: its answers are not those of the table above.\n\n"
    way = f" ({as_text(gates.way)})" if gates.way else ""
    others = "".join(f"\nNot written: {as_text(one.missed)}.\n" for one in gates.others)
    return (
        f"{title}\n\n{warned if gates.failed else ''}`onnx/model_quantized.onnx`{way} beside `onnx/model.onnx`, asked "
        f"one text at a time, on {as_text(gates.figures.rows)}, {as_text(gates.figures.machine)}.\n\n"
        f"{table(('measure', 'int8', 'bar', 'passed'), rows)}\n{others}"
    )
