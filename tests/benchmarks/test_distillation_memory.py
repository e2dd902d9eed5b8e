"""The memory benchmark in its smallest form; what it measures is asserted nowhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rosearch.training.trainer import METHODS
from tests.benchmarks import distillation_memory
from tests.benchmarks.distillation_memory import WAYS, Setting, main, measure, peak, save_teacher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TINY = Setting(student="adabert", teacher="tiny", vocabulary=200, tokens=8, steps=1, precision="float32")


@pytest.mark.parametrize("way", WAYS)
def test_each_way_runs_in_a_process(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, method in METHODS.items():
        monkeypatch.setitem(METHODS, name, method)  # as they were, afterwards
    save_teacher(tmp_path, TINY)
    assert peak(way, tmp_path, TINY) >= 0


def test_ratios_are_those_of_the_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = {"kd": iter([100.0, 900.0, 120.0]), "kd_with_teacher": iter([150.0] * 3), "mate_kd": iter([180.0] * 3)}
    monkeypatch.setattr(distillation_memory, "_peak_of_a_process", lambda way, folder, setting: next(peaks[way]))
    result = measure(TINY, repeats=3)
    assert result["mib"] == {"kd": 120.0, "kd_with_teacher": 150.0, "mate_kd": 180.0}
    assert (result["mate_kd_over_kd"], result["mate_kd_over_kd_with_teacher"]) == (1.5, 1.2)
    assert result["spread_mib"]["kd"] == 800.0


def test_json_is_all_that_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(distillation_memory, "_peak_of_a_process", lambda way, folder, setting: 100.0)
    monkeypatch.setattr(distillation_memory, "save_teacher", lambda folder, setting: None)
    main(["--json", "--repeats", "1"])
    assert json.loads(capsys.readouterr().out)["mate_kd_over_kd"] == 1.0
