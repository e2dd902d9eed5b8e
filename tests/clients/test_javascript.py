"""transformers.js under Node.js on an exported folder: its pipeline answers as torch does.

`TRANSFORMERS_JS` names a folder in which `npm install --ignore-scripts @huggingface/transformers` was run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients.students import LONG, TEXTS, TYPOS, tokenizer

from rosearch.export.facts import read_facts
from rosearch.export.predictions import open_classifier
from rosearch.export.runners import open_runner

pytestmark = pytest.mark.clients

SHORT = [text for text in TEXTS if text != LONG]
ASK = """
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
const require = createRequire(process.env.TRANSFORMERS_JS + '/');
const found = require.resolve('@huggingface/transformers');
const { env, pipeline, AutoTokenizer, AutoModelForSequenceClassification } = await import(pathToFileURL(found));
env.allowRemoteModels = false;
env.localModelPath = '';
const [folder, texts, pairs] = JSON.parse(process.argv[2]);
const options = { local_files_only: true };
let told;
try {
  if (pairs) {
    const tokenizer = await AutoTokenizer.from_pretrained(folder, options);
    const model = await AutoModelForSequenceClassification.from_pretrained(folder, options);
    const inputs = await tokenizer(texts, { text_pair: pairs, padding: true, truncation: true });
    const { logits } = await model(inputs);
    told = logits.tolist();
  } else {
    const ask = await pipeline('text-classification', folder, options);
    told = await ask(texts, { top_k: null });
  }
} catch (error) {
  told = { error: String(error) };
}
console.log(JSON.stringify(told));
"""


def javascript(folder: Path, texts: list[str], pairs: list[str] | None, place: Path) -> Any:
    assert shutil.which("node"), "Node.js is not installed: apt-get install nodejs npm"
    packages = Path(os.environ.get("TRANSFORMERS_JS", ""))
    assert (packages / "node_modules/@huggingface/transformers").is_dir(), f"{__doc__}"
    (place / "ask.mjs").write_text(ASK)
    done = subprocess.run(
        ["node", place / "ask.mjs", json.dumps([str(folder), texts, pairs])],
        env={**os.environ, "TRANSFORMERS_JS": str(packages.resolve())}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_its_pipeline_gives_the_labels_and_probabilities_of_torch(in_onnx: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(in_onnx / "transformersjs", tmp_path / "alone")
    told = javascript(moved, SHORT, None, tmp_path)
    classifier = open_classifier(in_onnx, "hf", temperature=1.0)
    (expected,) = classifier.answers(enumerate((text,) for text in SHORT))
    for got, wanted in zip(told, expected, strict=True):
        shares = {one["label"]: one["score"] for one in got}
        assert got[0]["label"] == wanted.label
        np.testing.assert_allclose([shares[name] for name in classifier.facts.labels], wanted.values, atol=1e-5)


def test_a_text_that_it_cuts_loses_its_last_token_as_the_page_says(in_onnx: Path, tmp_path: Path) -> None:
    ((told,),) = [javascript(in_onnx / "transformersjs", [LONG], None, tmp_path)]
    runner = open_runner(in_onnx, "onnx", read_facts(in_onnx))
    read = tokenizer("texts")(LONG)["input_ids"][:24]
    arrays = {"input_ids": [read], "attention_mask": [[1] * 24], "token_type_ids": [[0] * 24]}
    logits = runner.run({name: np.array(rows) for name, rows in arrays.items()})[0]
    assert read[-1] != 3  # [SEP]
    shares = {one["label"]: one["score"] for one in told}
    np.testing.assert_allclose(shares["positive"], 1 / (1 + np.exp(logits[0] - logits[1])), atol=1e-5)


def test_pairs_have_the_segments_that_torch_gives_them(pairs_in_onnx: Path, tmp_path: Path) -> None:
    others = [*SHORT[1:], SHORT[0]]
    told = javascript(pairs_in_onnx / "transformersjs", SHORT, others, tmp_path)
    runner = open_runner(pairs_in_onnx, "hf", read_facts(pairs_in_onnx))
    for got, rows in zip(told, zip(SHORT, others, strict=True), strict=True):
        np.testing.assert_allclose(got, runner.logits([rows])[0], atol=1e-5)


def test_what_encodes_words_is_never_read_as_plain(encoded: Path, tmp_path: Path) -> None:
    for config in ({"model_type": "bert"}, json.loads((encoded / "config.json").read_text())):
        folder = shutil.copytree(encoded, tmp_path / config["model_type"])
        (folder / "config.json").write_text(json.dumps(config | {"id2label": {"0": "no", "1": "yes"}}))
        told = javascript(folder, TYPOS, None, tmp_path)
        assert "trust_remote_code=True" in told["error"] or "Unsupported model type" in told["error"]
