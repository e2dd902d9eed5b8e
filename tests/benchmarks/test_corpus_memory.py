"""The benchmark in its smallest form; what it measures is asserted nowhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks import corpus_memory
from tests.benchmarks.corpus_memory import main, measure, step, write_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_text_of_the_size_becomes_a_corpus_and_is_read(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    write_text(path, 200_000, ["good", "film", "the", "was"])
    assert 200_000 <= path.stat().st_size < 300_000
    assert path.read_text().strip().count("\n\n") > 10
    made, read = step("prepare", path), step("read", path)
    assert made["blocks"] == read["blocks"] > 100
    assert made["peak_mib"] >= made["above_mib"]


def test_growth_is_from_the_first_size_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = {"prepare": iter([300.0, 900.0, 310.0]), "read": iter([200.0] * 3)}
    monkeypatch.setattr(corpus_memory, "_in_a_process", lambda name, path: {"peak_mib": next(peaks[name])})
    result = measure([0.01, 0.02, 0.03])
    assert result["growth_mib"] == {"prepare": 10.0, "read": 0.0}
    assert [row["megabytes"] for row in result["steps"]["read"]] == [0.01, 0.02, 0.03]


def test_json_is_all_that_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(corpus_memory, "_in_a_process", lambda name, path: {"peak_mib": 100.0, "cpu_seconds": 1.0})
    main(["--json", "--megabytes", "0.01"])
    assert json.loads(capsys.readouterr().out)["growth_mib"] == {"prepare": 0.0, "read": 0.0}
