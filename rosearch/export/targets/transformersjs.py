"""A folder that transformers.js and Optimum read, inside a Hugging Face folder: `FOLDER/transformersjs`.

>>> export_transformersjs(Path("student"))
Exported(path=PosixPath('student/transformersjs/onnx/model.onnx'), apart=1.2e-07)

Both stop at a `model_type` that they do not know. So the configuration of a student names BERT, which takes the same
inputs, and the graph is all that runs. The folder can be moved or pushed alone. It holds no weights for torch, so that
nothing can load it as the BERT that it is not.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from rosearch.errors import BadInput, Problem
from rosearch.export.facts import Facts, read_facts, read_json
from rosearch.export.targets.huggingface import MODEL_TYPE
from rosearch.export.targets.onnx import export_onnx
from rosearch.export.targets.parity import Exported, require_parity
from rosearch.files import whole
from rosearch.models.engines import onnx_facts, open_onnx
from rosearch.models.lengths import longest_input
from rosearch.models.places import folder_fingerprint
from rosearch.models.saved import load_classifier

_NAME = "transformersjs"
# What a student's configuration shares with BERT's; its genotype and its code stay behind.
_SHARED = ("id2label", "label2id", "problem_type", "pad_token_id", "vocab_size", "max_position_embeddings")
_SETTINGS = ("type_vocab_size", "hidden_size")

_CHOICES = {"transformers.js_config": {"dtype": "fp32"}}  # a browser would look for a file of 8 bits


def export_transformersjs(folder: Path) -> Exported:
    """Writes the folder for a classifier of single texts or pairs, with the ONNX file beside it; either is replaced.

    It needs the extra `onnx`. Raises `BadInput` where transformers.js would answer otherwise: for a tokenizer that
    encodes words by code of Python, and for a regression, whose score its pipeline turns into 1. Else as `export_onnx`.
    """
    facts = read_facts(folder)
    _require_readable(folder, facts)
    made = _graph(folder)
    with whole(folder / _NAME) as draft:
        draft.mkdir()
        with whole(draft / "onnx") as inner:
            inner.mkdir()
            shutil.copyfile(made.path, inner / "model.onnx")
        segments = "token_type_ids" in open_onnx(made.path)[0]
        for name, content in {
            "config.json": _config(read_json(folder / "config.json")),
            "tokenizer.json": _tokenizer(read_json(folder / "tokenizer.json")),
            "tokenizer_config.json": _tokenizer_config(
                read_json(folder / "tokenizer_config.json"), facts, pairs=segments and facts.texts != 1
            ),
        }.items():
            (draft / name).write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    return Exported(folder / _NAME / "onnx" / "model.onnx", made.apart)


def _require_readable(folder: Path, facts: Facts) -> None:
    problems = []
    if facts.encoded:
        got = "one whose words are encoded by code of Python"
        fix = "Answer with rosearch predict, or in Python by tokenization_rosearch.py"
        problems.append(Problem(str(folder), _NAME, "a tokenizer that JavaScript can read", got, fix))
    if facts.is_regression:
        fix = "Run the ONNX file itself: --target onnx"
        problems.append(Problem(str(folder), _NAME, "a classification", "a regression", fix))
    if problems:
        raise BadInput(problems)


def _graph(folder: Path) -> Exported:
    """The ONNX file of the folder, which is made unless it is there and of this very folder."""
    path = folder / "onnx" / "model.onnx"
    if not path.is_file() or onnx_facts(path).get("source") != folder_fingerprint(folder):
        return export_onnx(folder)
    model, tokenizer = load_classifier(folder)
    apart = require_parity(model, longest_input(model.config, tokenizer), open_onnx(path)[1], path.name)
    return Exported(path, apart)


def _config(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration that names a type of model which stock clients know."""
    if config.get("model_type") != MODEL_TYPE:
        return {**config, **_CHOICES}
    shared = {name: config[name] for name in (*_SHARED, *_SETTINGS) if name in config}
    return {"model_type": "bert", "architectures": ["BertForSequenceClassification"], **shared, **_CHOICES}


def _tokenizer(tokenizer: dict[str, Any]) -> dict[str, Any]:
    """Without the padding and the truncation of the last call before it was saved, which other readers obey."""
    return {**tokenizer, "padding": None, "truncation": None}


def _tokenizer_config(settings: dict[str, Any], facts: Facts, *, pairs: bool) -> dict[str, Any]:
    """With the longest input; the class says whether transformers.js gives the second text of a pair its own segment.

    In Python, transformers 5 rebuilds a `BertTokenizer` by rules of its own; the other class reads the file as it is.
    """
    kept = {key: value for key, value in settings.items() if key not in ("auto_map", "max_length", "stride")}
    name = "BertTokenizer" if pairs else "PreTrainedTokenizerFast"
    return {**kept, "tokenizer_class": name, "model_max_length": facts.longest}
