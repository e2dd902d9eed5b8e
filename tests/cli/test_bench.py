"""`rosearch bench` prints a table with its hardware, or JSON; what is wrong is one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import rosearch
from export.exported import exported, write_quick_onnx

SHORT = ("--length", "5", "--seconds", "0.01", "--threads", "1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an export in `out`, which has an ONNX file as well."""
    folder = tmp_path_factory.mktemp("bench")
    write_quick_onnx(exported(folder))
    return folder


def test_the_table_names_engines_sizes_and_the_hardware(place: Path) -> None:
    printed = rosearch("bench", "out", "--batch", "1", "--batch", "3", *SHORT, cwd=place).stdout
    rows = [line.split()[:4] for line in printed.splitlines() if line.strip().startswith("out ")]
    assert rows == [["out", engine, texts, "5"] for texts in ("1", "3") for engine in ("onnx", "hf")]
    assert "1 thread:" in " ".join(printed.split()) and "torch" in printed and "onnxruntime" in printed


def test_json_holds_the_same_figures(place: Path) -> None:
    data = rosearch("bench", "out", "--teacher", "out", *SHORT, "--json", cwd=place).data
    assert [(one["engine"], one["texts"]) for one in data["figures"]] == [
        (engine, texts) for texts in (1, 8, 32) for engine in ("teacher", "onnx", "hf")
    ]
    assert data["threads"] == 1 and "torch" in data["hardware"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("nowhere",), "expected an exported folder"),
        (("out", "out"), "expected each folder once"),
        (("out", "--length", "99"), "expected at most"),
        (("out", "--teacher", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_one_line(place: Path, given: tuple[str, ...], told: str) -> None:
    failed = rosearch("bench", *given, "--seconds", "0.01", cwd=place, expect=3 if "--teacher" not in given else 4)
    assert failed.stdout == "" and told in failed.stderr and failed.stderr.count("\n") == 1


def test_a_damaged_folder_is_refused(place: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(place / "out", tmp_path / "out")
    (folder / "config.json").write_text("{}")
    assert "config.json" in rosearch("bench", "out", cwd=tmp_path, expect=3).stderr
