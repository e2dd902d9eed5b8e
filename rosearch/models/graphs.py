"""A model as a function of tensors alone, which other engines can trace, and as an ONNX graph.

>>> write_graph(model, Path("model.onnx"), {"labels": '["negative", "positive"]'})
>>> names, run = open_onnx(Path("model.onnx"))

`rosearch.export.targets` makes its formats of it; `rosearch.evaluation.efficiency` times it.
"""

from __future__ import annotations

import copy
import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from rosearch.errors import RunError, one_line
from rosearch.models.onnx_operations import OnnxOperations

_OPSET = 20
_LOUD = ("torch.onnx", "onnxscript", "onnx_ir")


def graph_inputs(model: Any) -> tuple[str, ...]:
    """The names of the inputs that a model reads; token types where it has more than one."""
    known = inspect.signature(model.forward).parameters
    names = ["input_ids", "attention_mask"]
    if "token_type_ids" in known and getattr(model.config, "type_vocab_size", 1) > 1:
        names.append("token_type_ids")
    return tuple(names)


class Logits(nn.Module):
    """A model as a function from its inputs, in the order of `graph_inputs`, to the first of its outputs.

    That is the logits (texts, labels) of a classifier, the last hidden states (texts, tokens, width) of an encoder.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.names = model.eval(), graph_inputs(model)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Tensors (texts, tokens) -> the output."""
        logits: Tensor = self.model(**dict(zip(self.names, inputs, strict=True)))[0]
        return logits


def with_a_table(model: Any) -> Any:
    """A model that looks its words up in a table, whatever it reads them from.

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


def write_graph(model: Any, path: Path, facts: Mapping[str, str]) -> None:
    """Writes the ONNX graph of a model, with `facts` as its metadata; batch and length are dynamic.

    Its output is named `logits`. It takes seconds, and needs the packages onnx and onnxscript. Raises `RunError` where
    torch cannot.
    """
    names = graph_inputs(model)
    example = tuple(torch.zeros(2, 8, dtype=torch.long) + (name == "attention_mask") for name in names)
    shape = {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}
    try:
        with quiet_exporter(), OnnxOperations():
            program = torch.onnx.export(
                Logits(with_a_table(model)),
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


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Inside, the exporter neither warns of its own insides nor logs that torchvision is not there."""
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
