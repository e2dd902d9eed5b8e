"""Each format of a folder answers as torch does, and loads nothing that it does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from export.exported import exported

from rosearch.errors import BadInput, MissingResource
from rosearch.export import runners
from rosearch.export.facts import read_facts
from rosearch.export.formats import FORMATS
from rosearch.export.runners import RUNNERS, choose_target, open_runner, targets_in

ROWS = [("a very good film",), ("bad " * 40,), ("text",)]
ALONE = """
import json, sys
from pathlib import Path
from rosearch.export.facts import read_facts
from rosearch.export.runners import open_runner
folder = Path(sys.argv[1])
logits = open_runner(folder, "onnx", read_facts(folder)).logits([("a very good film",)])
loaded = [name for name in ("torch", "transformers", "pandas") if name in sys.modules]
print(json.dumps([logits.tolist(), loaded]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with its ONNX file."""
    made = exported(tmp_path_factory.mktemp("runners"))
    FORMATS["onnx"].export(made)
    return made


def test_there_is_a_runner_for_each_format_and_for_the_folder_itself() -> None:
    assert {*RUNNERS} == {"hf", *FORMATS}


def test_onnx_answers_as_torch_does_in_a_process_without_torch(folder: Path) -> None:
    facts = read_facts(folder)
    expected = open_runner(folder, "hf", facts).logits(ROWS)
    np.testing.assert_allclose(open_runner(folder, "onnx", facts).logits(ROWS), expected, rtol=1e-4, atol=1e-6)
    told = subprocess.run([sys.executable, "-c", ALONE, folder], capture_output=True, text=True, check=True).stdout
    logits, loaded = json.loads(told)
    assert loaded == []
    np.testing.assert_allclose(logits[0], expected[0], rtol=1e-4, atol=1e-6)


@pytest.mark.openvino
def test_openvino_answers_as_torch_does(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    FORMATS["openvino"].export(folder)
    facts = read_facts(folder)
    expected = open_runner(folder, "hf", facts).logits(ROWS)
    np.testing.assert_allclose(open_runner(folder, "openvino", facts).logits(ROWS), expected, rtol=1e-4, atol=1e-6)


def test_the_fastest_format_that_is_there_and_runs_is_chosen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert targets_in(folder) == ["onnx", "hf"] and choose_target(folder) == "onnx"
    assert choose_target(folder, "hf") == "hf"
    monkeypatch.setattr(runners, "find_spec", lambda name: None if name == "onnxruntime" else object())
    assert choose_target(folder) == "hf"
    with pytest.raises(MissingResource, match=r"onnx needs onnxruntime; pip install 'rosearch\[onnx\]'"):
        choose_target(folder, "onnx")


def test_what_is_not_there_and_what_is_unknown_are_one_clear_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"expected openvino, got onnx, hf. rosearch export .* --target openvino"):
        choose_target(folder, "openvino")
    with pytest.raises(BadInput, match=r"Did you mean onnx\?"):
        choose_target(folder, "onx")
    with pytest.raises(
        BadInput, match="expected one of onnx, openvino, transformersjs, torch_export, hf, fp16, int8, got none"
    ):
        choose_target(tmp_path)


def test_a_file_that_was_changed_or_is_no_model_is_one_clear_line(tmp_path: Path) -> None:
    made = exported(tmp_path)
    (made / "onnx").mkdir()
    (made / "onnx/model.onnx").write_bytes(b"no model")
    with pytest.raises(BadInput, match="onnx: expected a model that can be opened") as caught:
        open_runner(made, "onnx", read_facts(made))
    assert "\n" not in str(caught.value)
