from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from training.tiny_models import bert_config, make_task, save_model
from transformers import BertConfig, BertForSequenceClassification

from rosearch.errors import BadInput
from rosearch.models.heads import are_named, has_head, label_names, label_order, labels_of, reorder_head
from rosearch.models.saved import load_config

THREE = ("one", "two", "three")


def config(*labels: str) -> BertConfig:
    return BertConfig(id2label=dict(enumerate(labels)), label2id={label: index for index, label in enumerate(labels)})


def test_a_saved_classifier_has_a_head_and_pretrained_weights_have_none(tokenizer: Any, tmp_path: Path) -> None:
    assert has_head(load_config(save_model(tmp_path / "classifier", tokenizer, head=True)))
    assert not has_head(load_config(save_model(tmp_path / "pretrained", tokenizer)))


def test_the_labels_of_a_task_are_those_of_a_configuration_made_for_it() -> None:
    made = BertConfig(**label_names(make_task(labels=THREE)))
    assert labels_of(made) == THREE
    assert made.problem_type == "single_label_classification"


def test_labels_that_transformers_made_up_are_no_names() -> None:
    assert not are_named(labels_of(BertConfig(num_labels=3)))
    assert are_named(("LABEL_0", "positive"))


@pytest.mark.parametrize(
    ("theirs", "order"),
    [
        (("three", "ONE", "two"), (1, 2, 0)),
        (("One", "two", "THREE"), None),
        (("LABEL_0", "LABEL_1", "LABEL_2"), None),
    ],
)
def test_labels_are_matched_by_name_whatever_their_case(theirs: tuple[str, ...], order: tuple[int, ...] | None) -> None:
    assert label_order(config(*theirs), make_task(labels=THREE), "model", "") == order


@pytest.mark.parametrize("theirs", [("one", "two"), ("one", "two", "four")])
def test_other_labels_are_bad_input_with_the_advice(theirs: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match=r"model: id2label: expected .* take another"):
        label_order(config(*theirs), make_task(labels=THREE), "model", "take another")


def test_outputs_are_put_in_the_order_asked_for() -> None:
    torch.manual_seed(0)
    model = BertForSequenceClassification(bert_config(30, num_labels=3)).eval()
    ids = torch.arange(1, 9).unsqueeze(0)
    with torch.inference_mode():
        before = model(input_ids=ids).logits
        reorder_head(model, (2, 0, 1), "model")
        torch.testing.assert_close(model(input_ids=ids).logits, before[:, [2, 0, 1]])


def test_a_head_whose_outputs_cannot_be_ordered_is_bad_input() -> None:
    class Squared(BertForSequenceClassification):
        def forward(self, **inputs: Any) -> Any:
            found = super().forward(**inputs)
            found.logits = found.logits.cumsum(1)
            return found

    model = Squared(bert_config(30, num_labels=3)).eval()
    with pytest.raises(BadInput, match="a linear layer that gives the logits"):
        reorder_head(model, (2, 0, 1), "model")
