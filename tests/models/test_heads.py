from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from training.tiny_models import bert_config, make_task, save_model
from transformers import BertConfig, BertForSequenceClassification

from rosearch.errors import BadInput
from rosearch.models.heads import are_named, has_head, label_names, label_order, labels_of, output_names, reorder_head
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


@pytest.mark.parametrize(
    ("id2label", "label2id", "expected"),
    [
        ({0: "one", 1: "two", 2: "three"}, {"one": 1, "two": 0, "three": 2}, "the inverse of id2label"),
        ({0: "one", 1: "two", 2: "three"}, {"a": 0, "b": 1, "c": 2}, "the inverse of id2label"),
        ({0: "one", 1: "two", 2: "three"}, {"one": "first", "two": 1, "three": 2}, "the inverse of id2label"),
        ({0: "one", 2: "two", 3: "three"}, None, "names of the outputs 0 to 2"),
        ({0: "one", 1: "two", 2: "two"}, None, "names of the outputs 0 to 2"),
    ],
)
def test_names_that_contradict_or_are_missing_are_bad_input(id2label: Any, label2id: Any, expected: str) -> None:
    found = BertConfig(id2label=id2label, label2id=label2id)
    with pytest.raises(BadInput, match=expected):
        label_order(found, make_task(labels=THREE), "model", "")


@pytest.mark.parametrize(
    "label2id",
    [
        None,
        {"one": 0, "two": 1, "three": 2},
        {"one": "0", "two": "1", "three": "2", "ONE": "0"},
        {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2},
    ],
)
def test_label2id_may_be_absent_unnamed_or_hold_further_spellings(label2id: Any) -> None:
    assert output_names(BertConfig(id2label=dict(enumerate(THREE)), label2id=label2id), "model") == THREE


def test_names_that_differ_in_case_alone_keep_their_places() -> None:
    assert label_order(config("US", "us"), make_task(labels=("us", "US")), "model", "") == (1, 0)


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
