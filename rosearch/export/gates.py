"""The gates of a format that changes answers: what it keeps of the float32 file, and whether it is faster.

>>> gates = gates_of(figures)  # of both files on the same rows
>>> print(gates)
predicted as in float32 99.43 % of 872 rows, 5 otherwise (at least 99.0 %); accuracy under ...
>>> require_passed(gates, "model_quantized.onnx")  # raises where one fails

They lie beside the file as `model_quantized.json`, and in the model card of the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from rosearch.errors import BadInput, RunError
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
        return "; ".join(map(str, self.gates)) + missed

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


def gates_of(figures: FormatFigures, *, forced: bool = False) -> Gates:
    """The gates by the figures of both files."""
    return Gates(figures, tuple(_gates(figures)), forced)


def _gates(figures: FormatFigures) -> Iterator[Gate]:
    same, fast, slow = figures.same, figures.ms, figures.exact_ms
    other = round(same.n * (1 - same.value))
    alike = f"{100 * same.value:.2f} % of {same.n} rows, {other} otherwise"
    yield Gate("predicted as in float32", alike, f"at least {_percent(LEAST_ALIKE)}", same.value >= LEAST_ALIKE)
    for attack in figures.attacks:
        got, exact = attack.under_attack, attack.exact
        least = f"at least {_percent(exact.low)}, the interval of float32 from {_percent(exact.value)} down"
        yield Gate(f"accuracy under {attack.attack}", _percent(got.value), least, got.value >= exact.low)
    yield Gate("milliseconds a text, one at a time", f"{fast:.2f}", f"below {slow:.2f}, float32's", fast < slow)


def require_passed(gates: Gates, name: str) -> None:
    """Raises `RunError` with every gate that fails, unless they are forced."""
    if gates.failed and not gates.forced:
        told = "; ".join(map(str, gates.failed))
        raise RunError(f"{name}: not written, it misses {len(gates.failed)} of {len(gates.gates)} gates: {told}")


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


def without_formats(card: str) -> str:
    """A model card as it was before formats were told in it."""
    return card.partition(f"\n{_MARK}")[0]


def _section(gates: Gates) -> str:
    rows = [(gate.name, gate.got, gate.bar, "yes" if gate.passed else "no") for gate in gates.gates]
    title = "## int8" if not gates.failed else "## int8, which misses gates"
    warned = "It was written although it misses a gate: its answers are not those of the table above.\n\n"
    return (
        f"{title}\n\n{warned if gates.failed else ''}`onnx/model_quantized.onnx` beside `onnx/model.onnx`, asked one "
        f"text at a time, on {as_text(gates.figures.rows)}, {as_text(gates.figures.machine)}.\n\n"
        f"{table(('measure', 'int8', 'bar', 'passed'), rows)}\n"
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
