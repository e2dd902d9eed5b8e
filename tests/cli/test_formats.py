"""Formats that change answers are measured on the rows that are named, and refused in one line where none are."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command_line import rosearch
from export.exported import exported
from small_run import write_experiment

from rosearch.cli.formats import GateOptions, finish
from rosearch.config.file import load_experiment
from rosearch.errors import BadInput, Problem, RunError
from rosearch.export.formats import formats_of
from rosearch.export.targets.parity import Exported

INT8 = formats_of("int8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    exported(folder)
    rows = ("a very good film\tpositive", "bad text\tnegative", "a good text\tpositive", "very bad film\tnegative")
    (folder / "rows.tsv").write_text("\n".join(("text\tlabel", *rows, "")))
    return folder


def test_without_rows_int8_is_refused_before_anything_is_written(place: Path) -> None:
    told = rosearch("export", "out", "--target", "onnx,int8", cwd=place, expect=3).stderr
    assert "--target int8: expected labelled rows to measure it by, got none. Name them: --task" in told
    assert not (place / "out/onnx").exists()
    told = rosearch("export", "out", "--target", "int8", "--task", "rows.tsv", "--int8", "yes", cwd=place, expect=3)
    assert "--int8: expected gates or force, got 'yes'" in told.stderr
    told = rosearch("export", "out", "--target", "int8", "--task", "absent.tsv", "--attack", "x", cwd=place, expect=3)
    assert "absent.tsv: expected a file" in told.stderr and "attack: x: expected one of" in told.stderr


def test_options_of_int8_are_refused_where_it_is_not_written(place: Path) -> None:
    for given in (("--task", "rows.tsv"), ("--attack", "pruthi"), ("--n", "2"), ("--int8", "force")):
        told = rosearch("export", "out", "--target", "onnx", *given, cwd=place, expect=3).stderr
        assert f"{' '.join(given)}: expected --target int8 with it" in told
    assert not (place / "out/onnx").exists()


def test_a_format_that_a_student_cannot_have_keeps_no_other_from_it_and_both_are_told(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(folder: Path) -> Exported:
        raise BadInput(Problem(str(folder), "first", "words", "none"))

    def miss(folder: Path) -> Exported:
        raise RunError("second misses a gate")

    def write(folder: Path) -> Exported:
        return Exported(folder / "third.onnx", 0.0)

    formats: Any = [
        SimpleNamespace(name=name, measured=False, export=export)
        for name, export in (("first", refuse), ("second", miss), ("third", write))
    ]
    with pytest.raises(BadInput, match="first: expected words"):
        finish(place, formats, GateOptions(), None, True, {"id": "x"})
    printed = capsys.readouterr()
    assert list(json.loads(printed.out)["formats"]) == ["third"] and "second misses a gate" in printed.err


def test_of_a_run_the_rows_and_attacks_are_those_of_its_report(tmp_path: Path) -> None:
    report = {"attacks": ["deepwordbug", "pruthi"], "rows": 9}
    path = write_experiment(tmp_path, "classification", evaluation={"robustness": {"report": report}})
    results: Any = SimpleNamespace(experiment=load_experiment(path), run=SimpleNamespace(experiment_file=path))
    found = GateOptions().of_run(results)
    assert (found.task, found.attacks, found.split) == (path, "deepwordbug,pruthi", "test")
    assert GateOptions(attacks="pruthi").of_run(results).attacks == "pruthi"
    own = GateOptions(Path("mine.tsv"))
    assert own.of_run(results) == own
    with pytest.raises(BadInput, match="labelled rows"):
        GateOptions().require(INT8)
    GateOptions().require(formats_of("onnx,torch_export,fp16"))


@pytest.mark.slow
def test_int8_that_is_forced_is_told_with_its_gates_and_answers(place: Path) -> None:
    given = ("--target", "int8", "--task", "rows.tsv", "--n", "2", "--int8", "force")
    told = rosearch("export", "out", *given, "--json", cwd=place).data["formats"]["int8"]
    assert told["file"].endswith("model_quantized.onnx") and 0 <= told["apart"] <= 1
    assert told["way"] in told["tried"]
    gates = json.loads((place / "out/onnx/model_quantized.json").read_text())
    assert [gate["name"] for gate in gates["gates"]][1] == "accuracy under deepwordbug"
    assert gates["figures"]["attacks"][0]["under_attack"]["n"] == 2 and gates["figures"]["same"]["n"] == 4
    assert "## int8" in (place / "out/README.md").read_text()
    assert rosearch("predict", "out", "rows.tsv", "--target", "int8", cwd=place).stdout.count("\n") == 5
