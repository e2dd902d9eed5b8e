"""Optimum's pipeline on the folder that `--target transformersjs` writes.

`OPTIMUM_PYTHON` names the Python of an environment with `pip install "optimum[onnxruntime]"`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from clients.students import TEXTS, asked

from rosearch.export.predictions import open_classifier

pytestmark = pytest.mark.clients

ASK = """
import json
from optimum.onnxruntime import ORTModelForSequenceClassification
from transformers import AutoTokenizer, pipeline
folder, texts = json.loads(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(folder)
model = ORTModelForSequenceClassification.from_pretrained(folder)
found = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)(texts, truncation=True)
print()
print(json.dumps([{one["label"]: one["score"] for one in answers} for answers in found]))
"""


def test_its_pipeline_gives_the_probabilities_of_torch(in_onnx: Path, tmp_path: Path) -> None:
    python = os.environ.get("OPTIMUM_PYTHON")
    assert python, f"{__doc__}"
    moved = shutil.copytree(in_onnx / "transformersjs", tmp_path / "alone")
    told = asked(ASK, str(moved), TEXTS, python=python, cwd=tmp_path)
    classifier = open_classifier(in_onnx, "hf", temperature=1.0)
    (expected,) = classifier.answers(enumerate((text,) for text in TEXTS))
    for got, wanted in zip(told, expected, strict=True):
        np.testing.assert_allclose([got[name] for name in classifier.facts.labels], wanted.values, atol=1e-5)
