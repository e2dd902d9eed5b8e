"""The acceptance of a GPU, as far as a CPU can try it: its checks on a tiny experiment, its table, its refusal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_run import write_experiment

from tests import gpu_acceptance as acceptance
from tests.gpu_acceptance import CHECKS, Line, Trial

LINES = [Line("bfloat16", "within 5%", "90% in 2 s", True), Line("latency", "steady", "1.00 ms", False)]
FACTS = {"device": "A GPU", "torch": "2.13.0", "cuda": None}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A CPU in the place of the GPU, and no process of its own for a worker."""
    folder = tmp_path_factory.mktemp("accepted")
    efficiency = {"tokens": 8, "batch_sizes": [1], "warmup": 1, "repeats": 2}
    suite = {"rows": 4}
    evaluation = {"efficiency": efficiency, "robustness": {"search": suite, "report": suite}}
    (folder / "data_of_it").mkdir()
    experiment = write_experiment(
        folder / "data_of_it",
        "classification",
        evaluation=evaluation,
        evolution={"candidates": 2, "population": 2, "elite": 1},
        finalists={"count": 1},
    )
    return Trial("cpu", 0, folder, str(experiment), ("execution.workers=0",), rows=4)


@pytest.fixture(scope="module")
def lines(trial: Trial) -> list[Line]:
    return [check(trial) for check in CHECKS]


def test_every_check_gives_a_line_of_figures(lines: list[Line]) -> None:
    assert [line.check for line in lines] == ["bfloat16", "attack", "workers", "devices", "room", "latency", "search"]
    assert [line.found for line in lines if line.accepted is False and line.check != "latency"] == []
    assert "100% of 4 rows" in lines[1].found
    assert "accuracies at most 0.0% apart" in lines[2].found
    assert "teacher" in lines[5].found and "batch 1" in lines[5].found
    assert "% clean" in lines[6].found and "2 students" in lines[6].found


@pytest.mark.parametrize(("seen", "words"), [(0, "torch sees 0 GPUs"), (1, "torch sees 1 GPU,")])
def test_two_gpus_that_are_not_there_are_not_tried_and_that_is_said(
    seen: int, words: str, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: seen)
    line = acceptance.check_devices(trial)
    assert line.accepted is None and words in line.found
    assert acceptance.as_table(FACTS, [line]).endswith("| not tried |")
    assert acceptance.is_accepted([LINES[0], line]) and not acceptance.is_accepted([*LINES, line])


def test_a_check_that_raises_is_a_line_that_is_not_accepted(trial: Trial) -> None:
    line = acceptance.tried(acceptance.check_precision, replace(trial, experiment="absent"))
    assert not line.accepted
    assert line.found.startswith("BadInput: ")


@pytest.mark.usefixtures("lines")
def test_latency_of_another_device_is_not_accepted(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance, "machine", lambda device: {"device": "A GPU"})
    line = acceptance.check_latency(trial)
    assert (line.accepted, line.found) == (False, "nothing was timed there")


def test_the_table_is_markdown_that_a_page_can_keep() -> None:
    about, _, header, _, *rows = acceptance.as_table(FACTS, LINES).splitlines()
    assert about == "device A GPU, torch 2.13.0:"
    assert header == "| check | expected | found | accepted |"
    assert rows[0] == "| bfloat16 | within 5% | 90% in 2 s | yes |"
    assert rows[1].endswith("| **no** |")


def test_json_holds_the_lines_and_whether_all_are_accepted() -> None:
    data = acceptance.as_data(FACTS, LINES)
    assert data["accepted"] is False
    assert acceptance.as_data(FACTS, LINES[:1])["accepted"] is True
    assert json.loads(json.dumps(data))["checks"][0]["found"] == "90% in 2 s"


@pytest.mark.parametrize(("device", "why"), [("cuda", "torch sees 0 CUDA devices"), ("cpu", "cpu is no GPU")])
def test_without_a_gpu_there_is_one_line_and_exit_code_4(
    device: str, why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert acceptance.main(["--device", device]) == 4
    printed = capsys.readouterr()
    assert printed.out == ""
    assert why in printed.err and printed.err.count("\n") == 1


@pytest.mark.gpu
def test_this_gpu_is_accepted(tmp_path: Path) -> None:
    assert acceptance.main(["--to", str(tmp_path)]) == 0


@pytest.mark.parametrize(("accepted", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_says_whether_all_is_accepted(
    accepted: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(acceptance, "refusal", lambda device: "")
    monkeypatch.setattr(acceptance, "machine", lambda device: FACTS)
    monkeypatch.setattr(acceptance, "CHECKS", [lambda trial: replace(LINES[0], accepted=accepted)])
    assert acceptance.main(["--json"]) == code
    assert json.loads(capsys.readouterr().out)["accepted"] is accepted
