"""A classifier of transformers' own with random weights as an exported folder, alone or with its ONNX file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import torch
from export.saved_student import FACTS, MEASUREMENTS, WORDS, make_tokenizer
from onnx import TensorProto, helper
from transformers import BertConfig, BertForSequenceClassification

from rosearch.export.targets.huggingface import export_model
from rosearch.measurements import Calibration

TEMPERATURE = 2.0


def exported(place: Path, **changes: Any) -> Path:
    """The folder `place / "out"`; `changes` are those of the card's facts."""
    quality = replace(MEASUREMENTS.quality, calibration=Calibration(0.1, TEMPERATURE))
    facts = replace(FACTS, measurements=replace(MEASUREMENTS, quality=quality), **changes)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        pad_token_id=0,
        num_labels=max(1, len(facts.labels)),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = BertForSequenceClassification(config)
    if facts.labels:
        model.config.id2label = dict(enumerate(facts.labels))
    return export_model(model.eval(), make_tokenizer(WORDS), place / "out", facts)


def write_quick_onnx(folder: Path) -> None:
    """An ONNX file, not by torch: the first logit of a text is the sum of its ids, the other the opposite."""
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["texts", 2])
    nodes = [
        helper.make_node("ReduceSum", ["input_ids", "axis"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["first"], to=TensorProto.FLOAT),
        helper.make_node("Neg", ["first"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["logits"], axis=1),
    ]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    made = helper.make_model(
        helper.make_graph(nodes, "quick", [ids], [logits], [axis]), opset_imports=[helper.make_opsetid("", 20)]
    )
    made.ir_version = 10
    (folder / "onnx").mkdir()
    onnx.save(made, folder / "onnx/model.onnx")
