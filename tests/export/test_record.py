"""The student of a record is exported as it was written, or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import rosearch
from damaged_files import DAMAGES
from small_run import Quiet, write_experiment

from rosearch.cli.run import export
from rosearch.config.file import load_experiment
from rosearch.errors import BadInput
from rosearch.evolution.fitness import Yardstick
from rosearch.files import DIGESTS, damage
from rosearch.report.opened import open_run
from rosearch.search import run_search


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run, and the id of its best candidate."""
    folder = tmp_path_factory.mktemp("searched")
    experiment = load_experiment(write_experiment(folder, evolution={"candidates": 2, "population": 2}))
    results = run_search(experiment, Quiet(), folder / "runs")
    return results.run.path, results.best().id


@pytest.fixture
def run(searched: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy beside the cache of the original."""
    shutil.copytree(searched[0].parent / ".cache", tmp_path / "runs" / ".cache")
    return Path(shutil.copytree(searched[0], tmp_path / "runs" / "small-0001"))


@pytest.mark.parametrize("way", DAMAGES)
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_student_or_tokenizer_is_not_exported(
    name: str, way: str, run: Path, searched: tuple[Path, str]
) -> None:
    damaged = run / "tokenizer" / name if name == "tokenizer.json" else run / "students" / searched[1] / name
    DAMAGES[way](damaged)
    said = rosearch("export", run, "--best", "--to", run.parent / "out", cwd=run, expect=3).stderr
    assert f"{damaged}: damaged: expected what was written, got " in said and "Traceback" not in said
    assert not (run.parent / "out").exists()
    with pytest.raises(BadInput, match="damaged"):
        open_run(run).student(searched[1])


@pytest.mark.parametrize("way", DAMAGES)
def test_a_damaged_tokenizer_of_a_run_is_written_again_by_resume(way: str, run: Path) -> None:
    path = run / "tokenizer" / "tokenizer.json"
    before = json.loads(path.read_text())
    DAMAGES[way](path)
    rosearch("resume", run, cwd=run)
    assert json.loads(path.read_text())["model"] == before["model"] and damage(run / "tokenizer") is None
    rosearch("export", run, "--best", "--to", run.parent / "out", cwd=run)
    assert damage(run.parent / "out") is None and (run.parent / "out" / DIGESTS).is_file()


def test_a_student_without_digests_is_exported_and_that_is_said_once(
    run: Path, searched: tuple[Path, str], caplog: pytest.LogCaptureFixture
) -> None:
    (run / "students" / searched[1] / DIGESTS).unlink()
    for name in ("one", "two"):
        rosearch("export", run, "--best", "--to", run.parent / name, cwd=run)
    assert len([line for line in caplog.messages if "carry no digests" in line]) == 1


def test_weights_without_digests_that_are_cut_off_are_not_exported(run: Path, searched: tuple[Path, str]) -> None:
    student = run / "students" / searched[1]
    (student / DIGESTS).unlink()
    (student / "model.safetensors").write_bytes(b"")
    said = rosearch("export", run, "--best", "--to", run.parent / "out", cwd=run, expect=3).stderr
    assert f"{student / 'model.safetensors'}: damaged: " in said


@pytest.mark.parametrize("digests", [True, False])
def test_students_in_each_others_place_are_not_exported(digests: bool, run: Path) -> None:
    first, second = sorted((run / "students").glob("[0-9a-f]*"))[:2]
    if not digests:
        for folder in (first, second):
            (folder / DIGESTS).unlink()
    first.rename(run / "aside")
    second.rename(first)
    (run / "aside").rename(second)
    for folder in (first, second):
        said = rosearch("export", run, "--id", folder.name, "--to", run.parent / "out", cwd=run, expect=3).stderr
        assert f"{folder}: expected the student of {folder.name[:8]}, got a student of the architecture" in said
        with pytest.raises(BadInput, match="expected the student of"):
            open_run(run).student(folder.name)
    assert not (run.parent / "out").exists()


def test_a_gate_that_an_exported_student_misses_is_told_on_the_terminal_and_in_the_card(
    run: Path, searched: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, gated = ("export", str(run), "--id", searched[1]), "it misses a gate of the search: min_invariance"
    assert "gate" not in rosearch(*whole, "--to", "first", cwd=run.parent).stderr
    score = Yardstick.score
    monkeypatch.setattr(Yardstick, "key", "another")  # what was written beside the records is not read
    monkeypatch.setattr(Yardstick, "score", lambda *given: replace(score(*given), gates=("min_invariance",)))
    monkeypatch.chdir(run.parent)
    export(run, record=searched[1], to=Path("second"))
    assert f"warning {gated}" in capsys.readouterr().err
    assert f"- I{gated[1:]}." in (run.parent / "second/README.md").read_text()
