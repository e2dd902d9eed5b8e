"""The contract of every format beside a Hugging Face folder: it answers as torch does, and is written whole or not."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pytest
import torch
from export.saved_student import FACTS, GENOTYPE, WORDS, make_tokenizer
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from rosearch.errors import BadInput, MissingResource, RunError
from rosearch.export import formats
from rosearch.export.formats import FORMATS, formats_of
from rosearch.export.targets import onnx, parity
from rosearch.export.targets.huggingface import export_model, export_student
from rosearch.student.build import build_student
from rosearch.student.lexicon import LEXICONS
from rosearch.student.modeling_rosearch import POOLINGS
from rosearch.student.operations import MERGES, OPERATIONS

COPIES = (
    "transformersjs",
)  # of the ONNX file, with other files beside it: tests/export/targets/test_transformersjs.py
EACH = [
    pytest.param(name, marks=pytest.mark.openvino if name == "openvino" else ())
    for name in FORMATS
    if name not in COPIES
]
Problem = Literal["classification", "regression"]
# Each pooling, each way to read words and a regression once, with a graph of every operation and merge.
STUDENTS: list[tuple[str, str, Problem]] = [
    ("first", "none", "regression"),
    ("mean", "cnn", "classification"),
    ("attention", "ngrams", "classification"),
]
TINY: dict[str, Any] = {"vocab_size": len(WORDS), "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
FAMILIES = {
    "bert": lambda: BertForSequenceClassification(BertConfig(**TINY, intermediate_size=16, max_position_embeddings=32)),
    "roberta": lambda: RobertaForSequenceClassification(
        RobertaConfig(**TINY, intermediate_size=16, max_position_embeddings=34, type_vocab_size=1, pad_token_id=0)
    ),
    "distilbert": lambda: DistilBertForSequenceClassification(
        DistilBertConfig(
            vocab_size=len(WORDS), dim=16, n_heads=2, n_layers=1, hidden_dim=16, max_position_embeddings=32
        )
    ),
}


def exported_model(place: Path, family: str = "bert") -> Path:
    """A Hugging Face folder of a model of transformers' own with random weights; they are exported fastest."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = FAMILIES[family]()
    model.config.id2label = dict(enumerate(FACTS.labels))
    return export_model(model.eval(), make_tokenizer(WORDS), place / "out", FACTS)


def exported_student(place: Path, pooling: str, characters: str, problem: Problem) -> Path:
    """A Hugging Face folder of a student with random weights."""
    genotype = replace(GENOTYPE, pooling=pooling)
    genotype = genotype.with_(source=tuple({**genotype.source_setting, "characters": characters}.items()))
    labels = () if problem == "regression" else ("negative", "positive")
    student = build_student(
        genotype, labels=labels, problem=problem, vocabulary=len(WORDS), positions=32, token_types=2, pad_token_id=0,
        dropout=0.1, seed=1, pieces=WORDS,
    )  # fmt: skip
    student.save_pretrained(place / "student")
    make_tokenizer(WORDS).save_pretrained(place / "tokenizer")
    facts = replace(FACTS, genotype=genotype, problem=problem, labels=labels)
    return export_student(place / "student", place / "tokenizer", place / "out", facts)


def test_students_of_this_contract_have_all_that_a_student_may_have() -> None:
    poolings, readers, problems = map(set, zip(*STUDENTS, strict=True))
    assert poolings == {*POOLINGS} and readers == {*LEXICONS} and problems == {*get_args(Problem)}
    assert {node.op for node in GENOTYPE.nodes} == {*OPERATIONS, "identity"}
    assert {node.merge for node in GENOTYPE.nodes if len(node.inputs) > 1} == {*MERGES}


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize(("pooling", "characters", "problem"), STUDENTS)
def test_any_student_answers_as_torch_does_at_every_size(
    name: str, pooling: str, characters: str, problem: Problem, tmp_path: Path
) -> None:
    folder = exported_student(tmp_path, pooling, characters, problem)
    written = FORMATS[name].export(folder)
    assert written.apart < 1e-5 and written.path.is_file() and written.path.parent == folder / name


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("family", FAMILIES)
def test_models_of_transformers_own_answer_as_torch_does(name: str, family: str, tmp_path: Path) -> None:
    assert FORMATS[name].export(exported_model(tmp_path, family)).apart < 1e-5


@pytest.mark.parametrize("name", EACH)
def test_what_answers_otherwise_is_not_written_and_what_was_there_stays(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported_model(tmp_path)
    (folder / name).mkdir()
    (folder / name / "mine.txt").write_text("mine")
    logits = parity.Logits.forward
    monkeypatch.setattr(parity.Logits, "forward", lambda self, *given: logits(self, *given) + _jump(given[0]))
    with pytest.raises(RunError, match=r"differ from torch's by 0\.\d+ for 7 texts of 2\d tokens: not written"):
        FORMATS[name].export(folder)
    assert [path.name for path in (folder / name).iterdir()] == ["mine.txt"]


def _jump(ids: torch.Tensor) -> float:
    """An error at one size alone, which no example of the exporter has."""
    return 0.5 * (ids.shape == (7, 24))


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
    model, tokenizer = onnx.load_classifier(folder)
    with torch.inference_mode():
        expected = model(**tokenizer("a very good film", return_tensors="pt")).logits[0].numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-6)


def test_the_gate_holds_twelve_sizes_from_one_token_to_the_longest_text() -> None:
    model = FAMILIES["bert"]()
    sizes = [tuple(inputs[0].shape) for inputs in parity.samples(model, 24)]
    assert len({*sizes}) == 12 and {(1, 1), (1, 24), (32, 1), (32, 24)} < {*sizes}


def test_a_folder_without_a_classifier_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    folder = exported_model(tmp_path)
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadInput):
        FORMATS["onnx"].export(folder)
    assert not (folder / "onnx").exists()


def test_a_missing_package_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name.startswith("onnxr") else object())
    with pytest.raises(MissingResource, match=r"onnx needs onnxruntime; pip install 'rosearch\[onnx\]'"):
        FORMATS["onnx"].require()


def test_names_of_formats_stand_for_each_once_and_wrong_ones_are_told_together() -> None:
    assert [one.name for one in formats_of("hf, onnx,onnx")] == ["onnx"] and formats_of("hf") == ()
    with pytest.raises(BadInput) as caught:
        formats_of("onx,hf,openvnio")
    assert [problem.fix for problem in caught.value.problems] == ["Did you mean onnx?", "Did you mean openvino?"]
