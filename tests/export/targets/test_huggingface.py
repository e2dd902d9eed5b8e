from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from export.saved_student import FACTS, GENOTYPE, WORDS, make_tokenizer
from transformers import BertConfig, BertForSequenceClassification, pipeline

from rosearch.errors import RunError
from rosearch.export.destination import CODE, EVIDENCE
from rosearch.export.targets.huggingface import AUTO_MAP, export_model, export_student
from rosearch.files import DIGESTS
from rosearch.models.saved import load_tokenizer
from rosearch.space.genotype import Genotype
from rosearch.student.build import build_student
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.student.tokenization_rosearch import CODE_FILE

TEXTS = ["a very good film", "bad film"]


@pytest.fixture
def export(student: Path, tokenizer: Path, tmp_path: Path) -> Callable[..., Path]:
    """`export_student` with everything given but the destination `tmp_path / "out"`; keywords replace."""

    def run(**changes: object) -> Path:
        given = {"student": student, "tokenizer": tokenizer, "destination": tmp_path / "out", "facts": FACTS}
        return export_student(**{**given, **changes})  # type: ignore[arg-type]

    return run


STRANGER = """
import json, os, pickle, sys
sys.modules["rosearch"] = None  # any import of it now fails
import tokenizers, torch
torch.set_num_threads(1)
os.chdir(sys.argv[1])
from transformers import AutoConfig, AutoTokenizer, pipeline
def answer(load):
    try:
        return str(load())
    except Exception as error:  # `tokenizers` raises the base class itself
        return f"told: {error}"
source = open("out/README.md", encoding="utf-8").read().split("```python\\n")[1].split("```")[0]
scope = {}
exec(source, scope)
texts = json.loads(sys.argv[2])
model, tokenizer = scope["model"], scope["tokenizer"]
with torch.no_grad():
    logits = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits
told = pipeline("text-classification", model="out", trust_remote_code=True, device="cpu")(texts)
found = json.dumps({
    "logits": logits.tolist(),
    "snippet": scope["label"],
    "pipeline": [one["label"] for one in told],
    "config": type(AutoConfig.from_pretrained("out", trust_remote_code=True)).__name__,
    "cut": len(tokenizer("a " * 99, truncation=True)["input_ids"]),
    "copy": pickle.loads(pickle.dumps(tokenizer))(texts)["input_ids"] == tokenizer(texts)["input_ids"],
    "untrusted": [
        answer(lambda: AutoTokenizer.from_pretrained("out")(texts)),
        answer(lambda: pipeline("text-classification", model="out", device="cpu")(texts)),
        answer(lambda: tokenizers.Tokenizer.from_file("out/tokenizer.json").encode(texts[0]).ids),
    ],
    "ours": sorted(name for name, module in sys.modules.items() if name.startswith("rosearch") and module),
})
print()  # behind what transformers asked at the terminal
print(found)
"""


@pytest.mark.parametrize("encoded", [False, True])
def test_a_process_without_rosearch_loads_the_export_and_gets_equal_logits(
    encoded: bool, export: Callable[..., Path], student: Path, encoded_tokenizer: Path, tmp_path: Path
) -> None:
    """With a robust encoding users pass what they have, and it is read as what it is encoded to."""
    folder = export(tokenizer=encoded_tokenizer) if encoded else export()
    assert (folder / CODE_FILE).is_file() == encoded
    texts = ["a very godo txet", "bad flim"] if encoded else TEXTS
    if encoded:
        assert make_tokenizer(WORDS).tokenize(texts[0])[2] == "[UNK]"
    caches = {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_MODULES_CACHE": str(tmp_path / "modules"),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, str(folder.parent), json.dumps(texts)],
        env={**os.environ, **caches, "OMP_NUM_THREADS": "1"}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])

    model = StudentForSequenceClassification.from_pretrained(student).eval()
    with torch.no_grad():
        read = ["a very good film", "bad film"] if encoded else TEXTS
        inputs = make_tokenizer(WORDS)(read, padding=True, return_tensors="pt")
        logits = model(**inputs).logits.numpy()
    np.testing.assert_array_equal(np.array(told["logits"], dtype=np.float32), logits)
    expected = [FACTS.labels[index] for index in logits.argmax(axis=1)]
    assert told["pipeline"] == expected
    assert told["snippet"] in FACTS.labels
    assert told["config"] == "StudentConfig"
    assert told["cut"] == FACTS.max_length
    assert told["copy"] and told["ours"] == []
    if encoded:  # without its code nothing answers, and every error says what to do
        assert all(one.startswith("told: ") and "trust_remote_code=True" in one for one in told["untrusted"])


def test_a_stock_model_with_an_encoding_is_not_read_without_its_code(encoded_tokenizer: Path, tmp_path: Path) -> None:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = BertForSequenceClassification(BertConfig(vocab_size=len(WORDS), **sizes))
    tokenizer = load_tokenizer(encoded_tokenizer)
    folder = export_model(model, tokenizer, tmp_path / "out", FACTS)
    card = (folder / "README.md").read_text()
    assert (folder / CODE_FILE).is_file() and "trust_remote_code=True" in card and "load_tokenizer(folder)" in card
    texts = ["a very godo txet", "bad flim"]
    for settings in ({}, {"trust_remote_code": False}):
        with pytest.raises(Exception, match="trust_remote_code=True"):  # `tokenizers` raises the base class itself
            pipeline("text-classification", model=str(folder), device="cpu", **settings)(texts)
    told = pipeline("text-classification", model=str(folder), device="cpu", trust_remote_code=True)
    assert told.tokenizer(texts)["input_ids"] == tokenizer(texts)["input_ids"]
    assert load_tokenizer(folder)(texts)["input_ids"] == make_tokenizer(WORDS)(TEXTS)["input_ids"]


LOADER = """
import json, os, sys
sys.modules["rosearch"] = None
import torch
torch.set_num_threads(1)
os.chdir(sys.argv[1])
from transformers import AutoModelForSequenceClassification, AutoTokenizer
told = {}
for name in sys.argv[3:]:
    model = AutoModelForSequenceClassification.from_pretrained(name, trust_remote_code=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=True)
    with torch.no_grad():
        told[name] = model(**tokenizer(json.loads(sys.argv[2]), padding=True, return_tensors="pt")).logits.tolist()
print(json.dumps(told))
"""


def test_students_that_read_characters_load_without_rosearch_and_without_their_pieces(
    export: Callable[..., Path], tmp_path: Path
) -> None:
    expected = {}
    for characters in ("cnn", "ngrams"):
        genotype = GENOTYPE.with_(source=(("characters", characters), ("token_dropout", 0.2)))
        model = build_student(
            genotype, labels=("negative", "positive"), problem="classification", vocabulary=len(WORDS), positions=32,
            token_types=2, pad_token_id=0, dropout=0.1, seed=1, pieces=WORDS,
        ).eval()  # fmt: skip
        for parameter in model.get_input_embeddings().parameters():
            torch.nn.init.normal_(parameter)  # as trained: a fresh network over characters is silent
        model.save_pretrained(tmp_path / f"saved {characters}")
        export(
            student=tmp_path / f"saved {characters}",
            destination=tmp_path / "exports" / characters,
            facts=replace(FACTS, genotype=genotype),
        )
        with torch.no_grad():
            expected[characters] = model(
                **make_tokenizer(WORDS)(TEXTS, padding=True, return_tensors="pt")
            ).logits.tolist()
    caches = {"HF_HOME": str(tmp_path / "hf"), "HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOADER, str(tmp_path / "exports"), json.dumps(TEXTS), *expected],
        env={**os.environ, **caches, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == expected


def test_an_export_holds_the_model_its_code_its_tokenizer_its_card_and_nothing_else(
    export: Callable[..., Path], student: Path
) -> None:
    folder = export()
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "README.md", "tokenizer.json", *CODE} <= names
    assert all(name.startswith(("tokenizer", "special_tokens")) for name in names - {
        "config.json", "model.safetensors", "README.md", EVIDENCE, DIGESTS, *CODE,
    })  # fmt: skip
    assert (folder / "model.safetensors").read_bytes() == (student / "model.safetensors").read_bytes()
    config = json.loads((folder / "config.json").read_text())
    assert config["auto_map"] == AUTO_MAP
    assert config["architectures"] == ["StudentForSequenceClassification"]
    assert Genotype.from_dict(config["genotype"]) == GENOTYPE
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_exported_files_have_the_mode_of_the_umask(export: Callable[..., Path]) -> None:
    old = os.umask(0o022)
    try:
        folder = export()
    finally:
        os.umask(old)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_the_code_that_travels_imports_nothing_of_rosearch(export: Callable[..., Path]) -> None:
    folder = export()
    for name in CODE:
        lines = (folder / name).read_text().splitlines()
        assert not [line for line in lines if line.strip().startswith(("from rosearch", "import rosearch"))]


def test_a_folder_that_holds_another_model_is_refused(export: Callable[..., Path], tmp_path: Path) -> None:
    other = tmp_path / "bert"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (other / "model.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match="expected model_type rosearch_student, got bert"):
        export(student=other)
    (other / "config.json").write_text("{torn")
    with pytest.raises(RunError, match="cannot be read"):
        export(student=other)


def test_a_tokenizer_with_more_words_than_the_student_is_refused(export: Callable[..., Path], tmp_path: Path) -> None:
    make_tokenizer([*WORDS, "more"]).save_pretrained(tmp_path / "larger")
    with pytest.raises(RunError, match="the student has 10 words, this tokenizer 11"):
        export(tokenizer=tmp_path / "larger")
    assert not (tmp_path / "out").exists()
