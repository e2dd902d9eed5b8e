from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks import against
from tests.benchmarks.against import Place, measure, ratio


def test_the_ratio_is_that_of_each_repeat_and_its_interval_holds_the_median() -> None:
    found = ratio([1.0, 2.0, 4.0], [0.5, 1.0, 3.0])
    assert found["median"] == 0.5
    assert found["low"] == 0.5 and found["high"] == 0.75


def test_old_and_new_take_turns_and_the_first_repeat_is_thrown_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    order: list[Path] = []

    def seconds(checkout: Path, place: Place) -> float:
        order.append(checkout)
        return 2.0 if checkout == old else 1.0 + 98.0 * (len(order) <= 2)

    monkeypatch.setitem(against.MEASURED, "help", seconds)
    found = measure(old, new, Place(tmp_path), ["help"], repeats=3)
    assert order == [old, new, new, old, old, new, new, old]
    assert found["help"]["old_s"] == [2.0] * 3 and found["help"]["new_s"] == [1.0] * 3
    assert found["help"]["ratio"]["median"] == 0.5


def test_processor_time_is_that_of_the_command_and_of_processes_it_waited_for(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    assert against._finished(Path(sys.prefix), tmp_path, ["-c", child])[0] >= 0.3


def test_a_command_that_fails_ends_the_benchmark_with_its_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="exit 3\nits last words"):
        against._finished(tmp_path, tmp_path, ["-c", "import sys; sys.stderr.write('its last words'); sys.exit(3)"])
