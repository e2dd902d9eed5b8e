"""The contract of every format beside a Hugging Face folder: it answers as torch does, and is written whole or not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from export.classifiers import FAMILIES, exported_model
from export.saved_student import FACTS

from rosearch.errors import BadInput, MissingResource, RunError
from rosearch.export.formats import FORMATS, formats_of
from rosearch.export.targets import parity
from rosearch.models import engines
from rosearch.models.engines import ENGINES, EXACT, Array
from rosearch.models.saved import load_classifier

MARKS = {"openvino": pytest.mark.openvino}
EXACT_ONES = [pytest.param(name, marks=MARKS.get(name, ())) for name in FORMATS if ENGINES[name].apart == EXACT]


@pytest.mark.parametrize("name", EXACT_ONES)
def test_what_answers_otherwise_is_not_written_and_what_was_there_stays(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported_model(tmp_path)
    (folder / name).mkdir()
    (folder / name / "mine.txt").write_text("mine")
    monkeypatch.setattr(parity, "Logits", Jumping)  # that of the gate alone: what is traced stays as it is
    with pytest.raises(RunError, match=r"differ from torch's by 0\.\d+ for 7 texts of 2\d tokens: not written"):
        FORMATS[name].export(folder)
    assert [path.name for path in (folder / name).iterdir()] == ["mine.txt"]


class Jumping(parity.Logits):
    """An error at one size alone, which no example of an exporter has."""

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(*inputs) + 0.5 * (inputs[0].shape == (7, 24))


def test_one_file_says_its_labels_and_is_read_without_torch_and_rosearch(tmp_path: Path) -> None:
    folder = exported_model(tmp_path)
    written = FORMATS["onnx"].export(folder)
    assert sorted(path.name for path in written.path.parent.iterdir()) == ["model.onnx", "rosearch_digests.json"]
    alone = (
        "import json, sys\n"
        "sys.modules.update(torch=None, rosearch=None, transformers=None)\n"
        "import numpy, onnxruntime, tokenizers\n"
        "session = onnxruntime.InferenceSession(sys.argv[1])\n"
        "facts = session.get_modelmeta().custom_metadata_map\n"
        "read = tokenizers.Tokenizer.from_file(sys.argv[2]).encode('a very good film')\n"
        "given = {'input_ids': read.ids, 'attention_mask': read.attention_mask, 'token_type_ids': read.type_ids}\n"
        "logits = session.run(None, {name: numpy.array([ids]) for name, ids in given.items()})[0]\n"
        "print(json.dumps([logits[0].tolist(), json.loads(facts['labels']), int(facts['max_length'])]))\n"
    )
    command = [sys.executable, "-c", alone, str(written.path), str(folder / "tokenizer.json")]
    logits, labels, longest = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert labels == list(FACTS.labels) and longest == FACTS.max_length
    model, tokenizer = load_classifier(folder)
    with torch.inference_mode():
        expected = model(**tokenizer("a very good film", return_tensors="pt")).logits[0].numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-6)


def test_a_folder_without_a_classifier_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    folder = exported_model(tmp_path)
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadInput):
        FORMATS["onnx"].export(folder)
    assert not (folder / "onnx").exists()


def test_what_changes_answers_is_not_written_without_rows_to_measure_it_by(tmp_path: Path) -> None:
    assert [name for name, one in FORMATS.items() if one.measured] == ["int8"]
    with pytest.raises(BadInput, match="--target int8: expected labelled rows to measure it by, got none"):
        FORMATS["int8"].export(tmp_path)


def test_every_format_has_an_engine_that_runs_it() -> None:
    assert {*FORMATS} == {*ENGINES}


def test_an_engine_that_cannot_answer_a_size_is_one_clear_line_with_that_size() -> None:
    def run(given: Mapping[str, Array]) -> Array:
        raise ValueError("Guard failed:\nsize != 1")

    with pytest.raises(
        RunError, match=r"x: cannot answer 1 texts of 1 tokens \(.*Guard failed.*\): not written"
    ) as told:
        parity.require_parity(FAMILIES["bert"](), 24, run, "x")
    assert "\n" not in str(told.value)


def test_a_missing_package_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name.startswith("onnxr") else object())
    with pytest.raises(MissingResource, match=r"onnx needs onnxruntime; pip install 'rosearch\[onnx\]'"):
        FORMATS["onnx"].require()


def test_names_of_formats_stand_for_each_once_and_wrong_ones_are_told_together() -> None:
    assert [one.name for one in formats_of("hf, onnx,onnx")] == ["onnx"] and formats_of("hf") == ()
    with pytest.raises(BadInput) as caught:
        formats_of("onx,hf,openvnio")
    assert [problem.fix for problem in caught.value.problems] == ["Did you mean onnx?", "Did you mean openvino?"]
