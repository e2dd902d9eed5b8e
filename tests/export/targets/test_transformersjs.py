"""What lies beside the ONNX file of transformers.js; the file itself is asked by tests/clients/test_javascript.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from export.exported import exported, write_quick_onnx
from export.saved_student import FACTS
from tokenizers import Tokenizer

from rosearch.errors import BadInput
from rosearch.export.destination import EVIDENCE
from rosearch.export.targets import transformersjs
from rosearch.export.targets.huggingface import export_student
from rosearch.export.targets.parity import Exported
from rosearch.export.targets.transformersjs import export_transformersjs
from rosearch.export.verification import verify
from rosearch.files import DIGESTS, write_digests


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ONNX file that is not the student's: torch would take seconds for each."""

    def graph(folder: Path) -> Exported:
        if not (folder / "onnx").exists():
            write_quick_onnx(folder)
            write_digests(folder / "onnx")
        return Exported(folder / "onnx/model.onnx", 0.0)

    monkeypatch.setattr(transformersjs, "_graph", graph)


def written(folder: Path, name: str) -> Any:
    return json.loads((folder / "transformersjs" / name).read_text())


def test_a_student_has_a_configuration_that_stock_clients_know_and_nothing_of_ours(
    student: Path, tokenizer: Path, tmp_path: Path
) -> None:
    folder = export_student(student, tokenizer, tmp_path / "out", FACTS)
    path = export_transformersjs(folder).path
    assert path.read_bytes() == (folder / "onnx/model.onnx").read_bytes()
    config = written(folder, "config.json")
    assert config["model_type"] == "bert" and config["id2label"] == {"0": "negative", "1": "positive"}
    assert not {"genotype", "auto_map"} & config.keys()
    settings = written(folder, "tokenizer_config.json")
    assert settings["model_max_length"] == 24 and settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    names = {one.relative_to(folder / "transformersjs").as_posix() for one in path.parents[1].rglob("*.*")}
    files = {"config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx", DIGESTS, f"onnx/{DIGESTS}"}
    assert names == files
    checked = {one.name: one for one in verify(folder)}["files"]
    assert checked.state == "ok" and "does not know" not in checked.told


def test_padding_of_a_last_call_does_not_reach_other_readers(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    (folder / DIGESTS).unlink()
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    backend.enable_padding(length=64)
    backend.save(str(folder / "tokenizer.json"))
    export_transformersjs(folder)
    read = Tokenizer.from_file(str(folder / "transformersjs/tokenizer.json")).encode("a film")
    assert len(read.ids) == 4


def test_a_stock_model_keeps_its_configuration(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    export_transformersjs(folder)
    own = json.loads((folder / "config.json").read_text())
    assert written(folder, "config.json") == own | {"transformers.js_config": {"dtype": "fp32"}}


@pytest.mark.parametrize(("segments", "texts", "expected"), [
    (True, 2, "BertTokenizer"), (True, None, "BertTokenizer"), (True, 1, "PreTrainedTokenizerFast"),
    (False, 2, "PreTrainedTokenizerFast"),
])  # fmt: skip
def test_the_second_text_of_a_pair_has_its_segment_where_the_model_reads_them(
    segments: bool, texts: Any, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported(tmp_path)
    evidence = json.loads((folder / EVIDENCE).read_text()) | {"texts": texts}
    (folder / EVIDENCE).write_text(json.dumps(evidence))
    (folder / DIGESTS).unlink()
    inputs = ("input_ids", *(("token_type_ids",) if segments else ()))
    monkeypatch.setattr(transformersjs, "open_onnx", lambda path: (inputs, None))
    export_transformersjs(folder)
    assert written(folder, "tokenizer_config.json")["tokenizer_class"] == expected


def test_an_encoding_and_a_regression_are_refused_and_nothing_is_written(
    student: Path, encoded_tokenizer: Path, tmp_path: Path
) -> None:
    folder = export_student(student, encoded_tokenizer, tmp_path / "out", FACTS)
    with pytest.raises(BadInput, match="a tokenizer that JavaScript can read, got one whose words are encoded"):
        export_transformersjs(folder)
    score = exported(tmp_path / "score", problem="regression", labels=())
    with pytest.raises(BadInput, match="expected a classification, got a regression"):
        export_transformersjs(score)
    assert not (folder / "transformersjs").exists() and not (score / "transformersjs").exists()
