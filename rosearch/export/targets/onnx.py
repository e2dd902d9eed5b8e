"""ONNX beside a Hugging Face folder: `FOLDER/onnx/model.onnx`, one file, which needs neither torch nor rosearch.

>>> export_onnx(Path("student"))
Exported(path=PosixPath('student/onnx/model.onnx'), apart=1.2e-07)

The layout is that of the hub, which transformers.js and Optimum read too. Batch and length are dynamic. The answers are
held against torch's before anything lies in the folder.
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim
from transformers import PreTrainedModel

from rosearch.errors import RunError, one_line
from rosearch.export.runners import open_onnx
from rosearch.export.targets.parity import Exported, Logits, graph_inputs, require_parity
from rosearch.files import whole
from rosearch.models.lengths import longest_input
from rosearch.models.places import folder_fingerprint
from rosearch.models.saved import load_classifier

_OPSET = 20
_LOUD = ("torch.onnx", "onnxscript", "onnx_ir")


def export_onnx(folder: Path) -> Exported:
    """Writes the ONNX file of the classifier in a Hugging Face folder; one that is there is replaced.

    It needs the extra `onnx`. Raises `BadInput` for a folder that holds no classifier, `RunError` where it cannot be
    converted or answers otherwise than torch.
    """
    model, tokenizer = load_classifier(folder)
    longest = longest_input(model.config, tokenizer)
    with whole(folder / "onnx") as draft:
        draft.mkdir()
        write_graph(model, draft / "model.onnx", _facts(model, folder, longest))
        apart = require_parity(model, longest, open_onnx(draft / "model.onnx")[1], "model.onnx")
    return Exported(folder / "onnx" / "model.onnx", apart)


def write_graph(model: PreTrainedModel, path: Path, facts: dict[str, str]) -> None:
    """Writes the ONNX graph of a classifier, with `facts` as its metadata. Raises `RunError` where torch cannot."""
    names = graph_inputs(model)
    example = tuple(torch.zeros(2, 8, dtype=torch.long) + (name == "attention_mask") for name in names)
    shape = {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}
    try:
        with _quietly():
            program = torch.onnx.export(
                Logits(_with_a_table(model)),
                example,
                input_names=list(names),
                output_names=["logits"],
                dynamic_shapes=((shape,) * len(names),),
                opset_version=_OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # of torch, onnxscript or onnx_ir, each with classes of its own
        raise RunError(f"torch cannot write this model as ONNX ({one_line(error)})") from error
    assert program is not None  # with dynamo
    program.model.metadata_props.update(facts)
    program.save(str(path), external_data=False)


def _with_a_table(model: PreTrainedModel) -> PreTrainedModel:
    """A classifier that looks its words up in a table, whatever it reads them from.

    A student that reads characters gives each piece of a word the same vector at every place.
    """
    words = model.get_input_embeddings()
    if type(words) is nn.Embedding:
        return model
    with torch.no_grad():
        table = words(torch.arange(model.config.vocab_size).unsqueeze(0))[0]
    copied = copy.deepcopy(model)
    copied.set_input_embeddings(nn.Embedding(table.shape[0], table.shape[1], _weight=table))
    return copied


def _facts(model: PreTrainedModel, folder: Path, longest: int) -> dict[str, str]:
    """The facts that a reader of the file alone has to know."""
    labels: dict[int, Any] = model.config.id2label
    return {
        "labels": json.dumps([labels[place] for place in sorted(labels)]),
        "max_length": str(longest),
        "source": folder_fingerprint(folder),
        "encoding": "of its own: see tokenization_rosearch.py" if (folder / "encoding.json").is_file() else "none",
    }


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporter warns of its own insides, and logs that torchvision is not there."""
    loggers = [logging.getLogger(name) for name in _LOUD]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
