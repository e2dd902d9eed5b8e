from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from models.damage import rewritten
from safetensors.torch import load_file
from training.tiny_models import bert_config, save_model
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertForMaskedLM,
    BertForPreTraining,
    BertForTokenClassification,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    MPNetConfig,
    MPNetForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

from rosearch.errors import BadInput
from rosearch.models.saved import load_model, open_config

SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 48, "vocab_size": 30}
DISTIL = {"n_layers": 2, "n_heads": 2, "dim": 32, "hidden_dim": 48, "vocab_size": 30}
PRETRAINED = {
    "bert": lambda: BertForMaskedLM(bert_config(30)),
    "bert of two tasks": lambda: BertForPreTraining(bert_config(30)),
    "roberta": lambda: RobertaForMaskedLM(RobertaConfig(**SIZES)),
    "distilbert": lambda: DistilBertForMaskedLM(DistilBertConfig(**DISTIL)),
    "electra": lambda: ElectraForMaskedLM(ElectraConfig(embedding_size=16, **SIZES)),
    "electra's discriminator": lambda: ElectraForPreTraining(ElectraConfig(embedding_size=16, **SIZES)),
    "albert": lambda: AlbertForMaskedLM(AlbertConfig(embedding_size=16, **SIZES)),
    "mpnet": lambda: MPNetForMaskedLM(MPNetConfig(**SIZES)),
}
MASKED = [name for name in PRETRAINED if name != "electra's discriminator"]


@pytest.fixture(scope="module")
def pretrained_families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("families")
    for name, make in PRETRAINED.items():
        make().save_pretrained(folder / name)
    return {name: folder / name for name in PRETRAINED}


@pytest.mark.parametrize("name", PRETRAINED)
def test_heads_of_pretraining_are_no_fault_of_an_encoder_or_of_a_start(
    name: str, pretrained_families: dict[str, Path]
) -> None:
    folder = pretrained_families[name]
    open_config(AutoModel, folder)
    open_config(AutoModelForSequenceClassification, folder, trains_head=True)
    with pytest.raises(BadInput, match=r"random ones would be taken\. Fine-tune the model first"):
        open_config(AutoModelForSequenceClassification, folder)


@pytest.mark.parametrize("name", MASKED)
def test_a_head_tied_to_the_embeddings_is_there(name: str, pretrained_families: dict[str, Path]) -> None:
    open_config(AutoModelForMaskedLM, pretrained_families[name])
    load_model(AutoModelForMaskedLM, pretrained_families[name])


@pytest.mark.parametrize(
    "left",
    ["bert.embeddings.position_ids", "cls.predictions.bias", "lm_head.dense.weight"],
)
def test_what_published_classifiers_carry_along_is_no_fault(left: str, tokenizer: Any, tmp_path: Path) -> None:
    folder = save_model(tmp_path, tokenizer, head=True)
    value = torch.arange(32).unsqueeze(0) if "ids" in left else torch.zeros(32)
    rewritten(lambda tensors: tensors.update({left: value}))(folder)
    open_config(AutoModelForSequenceClassification, folder)
    load_model(AutoModelForSequenceClassification, folder)


@pytest.mark.parametrize("stray", ["stray.weight", "bert.adapter.weight", "bert.encoder.layer.0.lora_A.weight"])
def test_other_weights_of_the_saved_class_are_told_by_name(stray: str, tokenizer: Any, tmp_path: Path) -> None:
    folder = save_model(tmp_path, tokenizer, head=True)
    rewritten(lambda tensors: tensors.update({stray: torch.zeros(3)}))(folder)
    with pytest.raises(BadInput, match=rf"alone, got {re.escape(stray)}, which it does not read"):
        open_config(AutoModelForSequenceClassification, folder)


def test_the_head_of_another_task_is_no_fault_of_a_start_unless_its_shape_is(tmp_path: Path) -> None:
    for labels in (2, 3):
        BertForTokenClassification(bert_config(30, num_labels=labels)).save_pretrained(tmp_path / str(labels))
        open_config(AutoModelForSequenceClassification, tmp_path / str(labels), trains_head=True)
    with pytest.raises(BadInput, match=r"the shapes that config\.json names, got classifier\.bias \(3,\)"):
        load_model(AutoModelForSequenceClassification, tmp_path / "3", trains_head=True, num_labels=2)


def test_an_encoder_needs_no_pooler_and_a_classifier_does(tokenizer: Any, tmp_path: Path) -> None:
    def drop(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if "pooler" in name]:
            del tensors[name]

    encoder, classifier = save_model(tmp_path / "one", tokenizer), save_model(tmp_path / "two", tokenizer, head=True)
    for folder in (encoder, classifier):
        rewritten(drop)(folder)
    open_config(AutoModel, encoder)
    with pytest.raises(BadInput, match=r"none for bert\.pooler\.dense\.bias, bert\.pooler\.dense\.weight: random"):
        open_config(AutoModelForSequenceClassification, classifier)


def test_a_header_is_looked_at_without_its_weights_in_memory(tokenizer: Any, tmp_path: Path) -> None:
    """Nor are they read: the bytes behind the header may be anything."""
    folder = save_model(tmp_path, tokenizer, head=True)
    path = folder / "model.safetensors"
    size = sum(tensor.nbytes for tensor in load_file(path).values())
    content = path.read_bytes()
    path.write_bytes(content[:-size] + b"\xff" * size)
    open_config(AutoModelForSequenceClassification, folder)
    with pytest.raises(BadInput, match="expected finite weights, got NaN or infinity in"):
        load_model(AutoModelForSequenceClassification, folder)
