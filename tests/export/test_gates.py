"""The gates of a format that changes answers say which one fails and by how much, in the error and in the card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rosearch.errors import BadInput, RunError
from rosearch.export.gates import Gates, gates_of, require_passed, tell_in_card, without_formats
from rosearch.measurements import AttackedTwice, Estimate, FormatFigures
from rosearch.models.engines import ENGINES


def share(value: float) -> Estimate:
    return Estimate(value, value - 0.04, value + 0.04, 500)


FIGURES = FormatFigures(
    "872 rows of dev.tsv",
    "a processor, 2 cores",
    share(0.994),
    (AttackedTwice("deepwordbug", share(0.61), share(0.62)),),
    0.8,
    1.0,
    share(0.87),
    share(0.87),
)


def test_a_file_that_keeps_answers_and_is_faster_passes() -> None:
    gates = gates_of(FIGURES)
    assert gates.failed == () and len(gates.gates) == 3
    require_passed(gates, "model_quantized.onnx")
    assert "predicted as in float32 99.40 % of 500 rows, 3 otherwise (at least 99.0 %)" in str(gates)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"same": share(0.988)}, r"predicted as in float32 98\.80 % of 500 rows, 6 otherwise \(at least 99\.0 %\)"),
        (
            {"attacks": (AttackedTwice("deepwordbug", share(0.57), share(0.62)),)},
            r"accuracy under deepwordbug 57\.0 % \(at least 58\.0 %",
        ),
        ({"ms": 1.25}, r"milliseconds a text, one at a time 1\.25 \(below 1\.00, float32's\)"),
    ],
)  # fmt: skip
def test_each_gate_is_told_with_its_figure_and_its_bar(changes: dict[str, object], told: str) -> None:
    gates = gates_of(replace(FIGURES, **changes))  # type: ignore[arg-type]
    with pytest.raises(RunError, match=rf"model_quantized.onnx: not written, it misses 1 of 3 gates: {told}"):
        require_passed(gates, "model_quantized.onnx")
    require_passed(replace(gates, forced=True), "model_quantized.onnx")


def test_a_tie_in_time_is_not_faster_and_every_failed_gate_is_told() -> None:
    with pytest.raises(RunError, match=r"misses 2 of 3 gates: predicted .*; milliseconds"):
        require_passed(gates_of(replace(FIGURES, ms=1.0, same=share(0.9))), "x")


def test_the_card_says_what_int8_was_measured_by_and_that_it_was_forced(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("# A student\n")
    place = (tmp_path / ENGINES["int8"].file).with_suffix(".json")
    place.parent.mkdir()
    gates_of(FIGURES).write(place)
    tell_in_card(tmp_path)
    assert "## int8\n" in card.read_text() and "| 61.0 % |" in card.read_text()
    forced = gates_of(replace(FIGURES, ms=2.0), forced=True)
    forced.write(place)
    tell_in_card(tmp_path)
    told = card.read_text()
    assert told.count("## int8") == 1 and "which misses gates" in told and "although it misses a gate" in told
    assert without_formats(told) == "# A student\n" and Gates.read(place) == forced
    place.unlink()
    tell_in_card(tmp_path)
    assert card.read_text() == "# A student\n"


def test_damaged_gates_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "gates.json").write_text("{torn")
    with pytest.raises(BadInput, match=r"gates.json: damaged: ") as caught:
        Gates.read(tmp_path / "gates.json")
    assert "\n" not in str(caught.value)
