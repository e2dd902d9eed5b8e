"""Exported students with random weights, as stock clients meet them: of texts or pairs, plain or with an encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from export.saved_student import FACTS
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from rosearch.export.targets.huggingface import export_student
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import build_student
from rosearch.student.tokenization_rosearch import EncodedTokenizer

GENOTYPE = Genotype(
    16, 8, "attention",
    (Node.of("attention", heads=2, conv=True), Node.of("ffn", (1,), ratio=2, activation="gelu"),
     Node.of("conv", (0, 2), "gate", kernel=3)),
)  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "very", "good", "bad", "film", "text", "the", "was", ",", "!",
    "##s", "##y", *LETTERS[1:], *(f"##{letter}" for letter in LETTERS if letter not in "sy"),
]  # fmt: skip
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
WEIGHTS = dict.fromkeys(("good", "film", "very", "text", "the", "was"), 9000.0)
ENCODING = {"encoding": "typos", "ratio": 20.0, "weights": WEIGHTS, "codes": {"movie": "film"}}
LONG = "Größe, the FILMS was bad badly " * 9
TEXTS = ["A very good film!", "bad text", LONG, "xyz"]
TYPOS = ["a vary godo flim", "teh movie was bad"]  # read as the next
MEANT = ["a very good film", "the film was bad"]
Kind = Literal["texts", "pairs", "encoded"]


def tokenizer(kind: Kind) -> Any:
    """A BERT tokenizer of some words and all letters."""
    backend = Tokenizer(models.WordPiece({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    if kind != "encoded":
        return PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=inputs, **SPECIAL)
    made = EncodedTokenizer(tokenizer_object=backend, model_input_names=inputs, **SPECIAL)
    made.set_encoding(ENCODING)
    return made


def exported(place: Path, kind: Kind) -> Path:
    """The folder `place / "student"`."""
    student = build_student(
        GENOTYPE, labels=FACTS.labels, problem="classification", vocabulary=len(WORDS), positions=32, token_types=2,
        pad_token_id=0, dropout=0.1, seed=1, pieces=WORDS,
    )  # fmt: skip
    student.save_pretrained(place / "saved")
    tokenizer(kind).save_pretrained(place / "tokenizer")
    facts = replace(FACTS, genotype=GENOTYPE, texts=2 if kind == "pairs" else 1)
    return export_student(place / "saved", place / "tokenizer", place / "student", facts)


def asked(program: str, *given: object, python: str = sys.executable, cwd: Path) -> Any:
    """What a Python program without rosearch prints as the last line of JSON; it is given JSON, and no hub."""
    caches = {"HF_HOME": str(cwd / "hf"), "HF_MODULES_CACHE": str(cwd / "modules"), "HF_HUB_OFFLINE": "1"}
    environment = {**os.environ, **caches, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [python, "-c", f"import sys\nsys.modules['rosearch'] = None\n{program}", json.dumps(given)],
        cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
