"""The gates of a format that changes answers say which one fails and by how much, in the error and in the card."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rosearch.errors import BadInput, RunError
from rosearch.export.gates import Gates, first_that_passes, gates_of, tell_in_card, without_formats
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
    gates = gates_of(FIGURES, "a way")
    assert gates.failed == () and len(gates.gates) == 3
    assert first_that_passes([gates], "model_quantized.onnx") == gates
    assert str(gates).startswith("a way: predicted as in float32 99.40 % of 500 rows, 3 otherwise (at least 99.00 %)")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"same": share(0.988)}, r"predicted as in float32 98\.80 % of 500 rows, 6 otherwise \(at least 99\.00 %\)"),
        (
            {"attacks": (AttackedTwice("deepwordbug", share(0.57), share(0.62)),)},
            r"accuracy under deepwordbug 57\.0 % \(at least 58\.0 %",
        ),
        ({"ms": 1.25}, r"milliseconds a text, one at a time 1\.25 \(below 1\.00, float32's\)"),
        # Rounded alike, none of these would say why it is missed.
        ({"ms": 0.2141, "exact_ms": 0.2139}, r"milliseconds .* 0\.2141 \(below 0\.2139, float32's\)"),
        ({"same": share(0.98999)}, r"predicted .* 98\.999 % of 500 rows, 5 otherwise \(at least 99\.000 %\)"),
        (
            {"attacks": (AttackedTwice("deepwordbug", share(0.5798), share(0.62)),)},
            r"accuracy under deepwordbug 57\.98 % \(at least 58\.00 %",
        ),
    ],
)  # fmt: skip
def test_each_gate_is_told_with_its_figure_and_its_bar(changes: dict[str, object], told: str) -> None:
    gates = gates_of(replace(FIGURES, **changes), "a way")  # type: ignore[arg-type]
    with pytest.raises(RunError, match=rf"model_quantized.onnx: not written: a way, which misses 1 of 3 gates: {told}"):
        first_that_passes([gates], "model_quantized.onnx")
    assert first_that_passes([gates], "model_quantized.onnx", force=True).forced


def test_a_tie_in_time_is_not_faster_and_every_failed_gate_is_told() -> None:
    with pytest.raises(RunError, match=r"misses 2 of 3 gates: predicted .*; milliseconds"):
        first_that_passes([gates_of(replace(FIGURES, ms=1.0, same=share(0.9)), "a way")], "x")


def test_the_first_way_that_passes_is_written_and_the_fewest_gates_decide_where_it_is_forced() -> None:
    good, one = gates_of(FIGURES, "good"), gates_of(replace(FIGURES, ms=2.0), "one")
    two = gates_of(replace(FIGURES, ms=2.0, same=share(0.9)), "two")
    chosen = first_that_passes([two, one, good], "x")
    assert chosen.way == "good" and [other.way for other in chosen.others] == ["two", "one"]
    with pytest.raises(RunError, match=r"x: not written: two, which misses 2 of 3 .*; one, which misses 1 of 3"):
        first_that_passes([two, one], "x")
    assert first_that_passes([two, one], "x", force=True).way == "one"


def test_the_card_says_what_int8_was_measured_by_and_that_it_was_forced(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("# A student\n")
    place = (tmp_path / ENGINES["int8"].file).with_suffix(".json")
    place.parent.mkdir()
    gates_of(FIGURES, "a way").write(place)
    tell_in_card(tmp_path)
    assert "## int8\n" in card.read_text() and "| 61.0 % |" in card.read_text()
    other = gates_of(replace(FIGURES, ms=3.0), "another way")
    forced = first_that_passes([gates_of(replace(FIGURES, ms=2.0), "a way"), other], "x", force=True)
    forced.write(place)
    tell_in_card(tmp_path)
    told = card.read_text()
    assert told.count("## int8") == 1 and "which misses gates" in told and "although it misses a gate" in told
    assert "Not written: another way, which misses 1 of 3 gates: milliseconds" in told
    assert without_formats(told) == "# A student\n" and Gates.read(place) == forced
    older = json.loads(place.read_text())
    place.write_text(json.dumps({key: older[key] for key in ("figures", "gates", "forced")}))  # before there were ways
    assert Gates.read(place) == replace(forced, way="", others=()) and str(Gates.read(place)).startswith("predicted")
    place.unlink()
    tell_in_card(tmp_path)
    assert card.read_text() == "# A student\n"


def test_damaged_gates_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "gates.json").write_text("{torn")
    with pytest.raises(BadInput, match=r"gates.json: damaged: ") as caught:
        Gates.read(tmp_path / "gates.json")
    assert "\n" not in str(caught.value)
