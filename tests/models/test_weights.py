from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from models.damage import POINTER
from safetensors.torch import load_file, save_file

from rosearch.models.weights import file_fault, folder_faults, read_header, tokenizer_faults


def sharded(pretrained: Path, folder: Path) -> Path:
    """The same weights in two files and an index."""
    folder.mkdir()
    (folder / "config.json").write_bytes((pretrained / "config.json").read_bytes())
    tensors = load_file(pretrained / "model.safetensors")
    places = {name: f"model-0000{1 + place % 2}-of-00002.safetensors" for place, name in enumerate(tensors)}
    for file in set(places.values()):
        save_file({name: tensors[name] for name in tensors if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def test_shards_have_the_header_of_one_file(pretrained: Path, tmp_path: Path) -> None:
    assert read_header(sharded(pretrained, tmp_path / "shards")) == read_header(pretrained)
    assert folder_faults(tmp_path / "shards") == []


@pytest.mark.parametrize("index", ["{", "[]", '{"weight_map": 3}', "", POINTER])
def test_a_damaged_index_is_told(index: str, pretrained: Path, tmp_path: Path) -> None:
    folder = sharded(pretrained, tmp_path / "shards")
    (folder / "model.safetensors.index.json").write_text(index)
    (fault,) = folder_faults(folder)
    assert "model.safetensors.index.json" in fault[1]


def test_weights_of_another_name_are_not_those_that_transformers_reads(pretrained: Path, tmp_path: Path) -> None:
    folder = sharded(pretrained, tmp_path / "shards")
    (folder / "model.safetensors.index.json").unlink()
    assert "without weights as *.safetensors (model.safetensors)" in folder_faults(folder)[0][1]


def test_the_line_for_pickled_weights_holds_a_conversion_that_python_reads(tmp_path: Path) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["BertForSequenceClassification"]}')
    (folder / "pytorch_model.bin").write_bytes(b"")
    (fault,) = folder_faults(folder)
    assert "BertForSequenceClassification as M; M.from_pretrained(" in fault[2] and "never read" in fault[2]
    python, option, line = shlex.split(fault[2].partition("once: ")[2])
    assert (python, option) == ("python", "-c")
    compile(line, "line", "exec")


def test_a_pointer_an_empty_file_and_an_absent_one_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    assert file_fault(path) == f"no {path}"
    path.write_text("")
    assert file_fault(path) == f"{path} of 0 bytes"
    path.write_text(POINTER)
    assert "Git LFS pointer" in file_fault(path)
    path.write_text("word\n")
    assert file_fault(path) == ""


def test_a_tokenizer_has_a_vocabulary_or_code_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    assert "without tokenizer.json or vocab.* or *.model" in tokenizer_faults(tmp_path)[0][1]
    (tmp_path / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": [null, "own.Tokenizer"]}}')
    assert tokenizer_faults(tmp_path) == []
    (tmp_path / "tokenizer_config.json").write_text("[]")
    (tmp_path / "vocab.txt").write_text(POINTER)
    assert "Git LFS pointer" in tokenizer_faults(tmp_path)[0][1]


def test_files_are_looked_at_without_torch(pretrained: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rosearch.models.weights import folder_faults\n"
        f"assert folder_faults(Path({str(pretrained)!r})) == []; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
