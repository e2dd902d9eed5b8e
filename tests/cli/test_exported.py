"""`rosearch predict` answers files and pipes, `rosearch verify` tells each check; what is wrong is one line."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Printed, rosearch
from export.exported import exported, write_quick_onnx

from rosearch.export import verification
from rosearch.export.evidence import read_evidence

COMMAND = [sys.executable, "-m", "rosearch.cli", "predict", "quick"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an export in `out`, one without torch in `quick`, and rows in several formats."""
    folder = tmp_path_factory.mktemp("exported")
    exported(folder)
    shutil.copytree(folder / "out", folder / "quick")
    write_quick_onnx(folder / "quick")
    (folder / "rows.csv").write_text('id,text\n1,"a very\ngood film"\n2,bad\n3,\n4,text\n')
    (folder / "rows.jsonl").write_text('{"review": "a film"}\n{"review": "bad"}\n')
    return folder


def piped(text: str, place: Path, *given: str, expect: int = 0) -> Printed:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return rosearch("predict", "out", *given, cwd=place, expect=expect)


def test_each_line_of_a_pipe_is_answered_by_a_label_and_its_probability(place: Path) -> None:
    lines = [line.split("\t") for line in piped("a very good film\nbad\n", place).stdout.splitlines()]
    assert [line[0] in ("negative", "positive") for line in lines] == [True, True]
    assert all(0.5 <= float(line[1]) <= 1 for line in lines)


def test_a_file_is_answered_in_its_own_format_with_the_texts_if_they_are_asked_for(place: Path) -> None:
    told = rosearch("predict", "out", "rows.jsonl", "--text", "review", "--with-text", cwd=place).stdout
    rows = [json.loads(line) for line in told.splitlines()]
    assert [(row["line"], row["text"]) for row in rows] == [(1, "a film"), (2, "bad")]
    written = rosearch("predict", "out", "rows.jsonl", "--text", "review", "--write", "csv", cwd=place).stdout
    for row, other in zip(rows, csv.DictReader(io.StringIO(written)), strict=True):
        assert float(other["positive"]) == row["probabilities"]["positive"] and other["label"] == row["label"]


def test_a_broken_row_ends_it_with_its_number_behind_the_answers_before_it(place: Path) -> None:
    failed = rosearch("predict", "out", "rows.csv", cwd=place, expect=3)
    assert [line.split(",")[0] for line in failed.stdout.splitlines()] == ["line", "2", "4"]
    assert failed.stderr.splitlines() == [
        "error rows.csv: line 5: expected a text in 'text', got none. --drop-bad-rows leaves such rows out"
    ]


def test_broken_rows_are_left_out_when_asked_and_each_is_told(place: Path) -> None:
    told = rosearch("predict", "out", "rows.csv", "--drop-bad-rows", cwd=place)
    assert [line.split(",")[0] for line in told.stdout.splitlines()] == ["line", "2", "4", "6"]
    assert told.stderr == "warning rows.csv: line 5: expected a text in 'text', got none; it is left out\n"
    many = piped("a\n" + "\n" * 30, place, "--drop-bad-rows")
    assert many.stderr.count("it is left out") == 20
    assert many.stderr.endswith("warning standard input: 30 rows are left out\n")


def test_a_temperature_can_be_given_in_place_of_the_folders_own(place: Path) -> None:
    given = ("a very good film\n", place)
    own, none, hot = (
        float(piped(*given, *more).stdout.split()[1]) for more in ((), ("--temperature", "1"), ("--temperature", "50"))
    )
    assert none > own > hot


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (("rows.csv", "--read", "cvs"), 3, "Did you mean csv?"),
        (("rows.csv", "--write", "cvs"), 3, "expected lines, csv, jsonl, got cvs. Did you mean csv?"),
        (("rows.csv", "--text", "nosuch"), 3, "expected a column 'nosuch', got only 'id', 'text'"),
        (("rows.csv", "--target", "onnx"), 3, "expected onnx, got hf"),
        (("absent.csv",), 3, "expected a file, got no such file"),
        (("rows.csv", "--text-pair", "text"), 3, "expected --text besides"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_answered(
    given: tuple[str, ...], code: int, message: str, place: Path
) -> None:
    failed = rosearch("predict", "out", *given, cwd=place, expect=code)
    assert message in failed.stderr and len(failed.stderr.splitlines()) == 1 and failed.stdout == ""


def test_verify_tells_each_check_and_ends_with_a_line_for_each_that_failed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(folder: Path, rows: object, *, trusted: bool) -> object:
        evidence = read_evidence(folder)
        assert not trusted and evidence is not None
        return evidence.logits

    monkeypatch.setattr(verification, "ask_fresh_process", answers)
    shutil.copytree(place / "out", tmp_path / "out")
    told = rosearch("verify", "out", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[:2] for line in told] == [
        ["ok", name] for name in ("files", "evidence", "card", "encoding", "loading")
    ]
    (tmp_path / "out/README.md").unlink()
    failed = rosearch("verify", "out", cwd=tmp_path, expect=3)
    assert failed.stderr == "error out/README.md: expected the model card, got no such file\n"
    assert "card" not in failed.stdout and "loading" in failed.stdout
    printed = rosearch("verify", "out", "--json", cwd=tmp_path, expect=3).data
    assert printed["ok"] is False and [one["state"] for one in printed["checks"]].count("failed") == 1


@pytest.mark.parametrize("way", ["closed", "interrupted"])
def test_a_reader_that_goes_away_and_ctrl_c_end_a_stream_without_an_end(way: str, place: Path) -> None:
    with (
        subprocess.Popen(["yes", "a very good film"], stdout=subprocess.PIPE) as endless,
        subprocess.Popen(
            COMMAND, cwd=place, stdin=endless.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as one,
    ):
        assert endless.stdout is not None and one.stdout is not None and one.stderr is not None
        endless.stdout.close()  # so that it ends with its reader
        one.stdout.readline()
        if way == "interrupted":
            one.send_signal(signal.SIGINT)
            one.stdout.read()
        one.stdout.close()
        assert one.stderr.read() == b""
    assert one.returncode == {"closed": 141, "interrupted": 130}[way]
