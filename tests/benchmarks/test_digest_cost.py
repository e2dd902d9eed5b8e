"""The benchmark in its smallest form; what it measures is asserted nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_run import write_experiment

from rosearch.files import damage, whole
from tests.benchmarks import digest_cost
from tests.benchmarks.digest_cost import counted, main, speeds


def test_the_time_of_digests_is_counted_once_and_set_beside_a_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = write_experiment(tmp_path, baselines=[], finalists={"count": 0})
    monkeypatch.setattr(digest_cost, "speeds", lambda: speeds(1))
    main(["--json", "--experiment", str(experiment), "--candidates", "2"])
    found = json.loads(capsys.readouterr().out)
    assert found["candidates"] == 2 and set(found["gb_per_second"]) == {"crc32", "blake2b", "sha256"}
    assert found["share"] == pytest.approx(found["seconds_digests"] / found["seconds_candidate"], abs=1e-3)


def test_all_that_compares_is_put_back_afterwards(tmp_path: Path) -> None:
    with counted() as spent, whole(tmp_path / "kept") as draft:
        draft.mkdir()
        (draft / "weights").write_bytes(bytes(1_000_000))
    assert spent() >= 0
    assert damage(tmp_path / "kept") is None
    assert all("counted" not in getattr(owner, name).__qualname__ for owner, name in digest_cost._WORK)
