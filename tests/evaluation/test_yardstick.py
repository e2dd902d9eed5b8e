from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rosearch.evaluation.attacks.result import Limits
from rosearch.evaluation.intervals import wilson
from rosearch.evaluation.robustness import Suite
from rosearch.evaluation.yardstick import kept_facts, yardstick_key
from rosearch.measurements import Quality, TeacherCost, TeacherFacts
from rosearch.resources.resources import Resources

SUITE = Suite(("deepwordbug",), 10, Limits(queries=50))
CPU = torch.device("cpu")
FACTS = TeacherFacts(Quality("accuracy", 0.9, 10, wilson(9, 10)), TeacherCost(1000, 900, 2000), 64, 2, latency_ms=3.0)


def key(*parts: str, suite: Suite | None = SUITE) -> str:
    return yardstick_key(parts or ("weights", "rows"), suite, Resources(), CPU)


def never() -> TeacherFacts:
    raise AssertionError("measured again")


def test_what_is_measured_once_is_not_measured_again_and_its_latency_is_not_kept(tmp_path: Path) -> None:
    made = kept_facts(tmp_path, "a", lambda: FACTS)
    assert made == replace(FACTS, latency_ms=None) == kept_facts(tmp_path, "a", never)
    assert kept_facts(tmp_path, "b", lambda: replace(FACTS, positions=8)).positions == 8


@pytest.mark.parametrize("at", [2, 40, -3])
def test_a_changed_byte_is_told_and_measured_again(tmp_path: Path, at: int, caplog: pytest.LogCaptureFixture) -> None:
    kept_facts(tmp_path, "a", lambda: FACTS)
    (path,) = (tmp_path / "yardsticks").glob("*.json")
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert kept_facts(tmp_path, "a", lambda: replace(FACTS, positions=8)).positions == 8
    assert "damaged" in caplog.text and "made again" in caplog.text


def test_a_key_follows_from_weights_rows_attacks_limits_and_nothing_else() -> None:
    others = [
        key("other weights", "rows"),
        key("weights", "other rows"),
        key(suite=replace(SUITE, rows=11)),
        key(suite=replace(SUITE, attacks=("pruthi",))),
        key(suite=replace(SUITE, limits=Limits(queries=51))),
        key(suite=replace(SUITE, single_swaps=("pruthi",))),
        key(suite=None),
    ]
    assert key() == key(suite=replace(SUITE)) and len({key(), *others}) == len(others) + 1


def test_figures_of_other_code_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setattr("rosearch.evaluation.yardstick._code", lambda: "other code")
    assert key() != before
