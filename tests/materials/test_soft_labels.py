from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from rosearch.evaluation.efficiency import teacher_cost
from rosearch.materials import soft_labels
from rosearch.materials.soft_labels import bert_base_cost
from rosearch.measurements import BERT_BASE_PARAMETERS


def test_the_cost_of_bert_base_is_that_of_its_own_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a BERT that is as deep and narrow, as the real one takes its time."""
    sizes = {"hidden_size": 24, "intermediate_size": 32, "num_attention_heads": 2}

    def narrow(**settings: object) -> BertConfig:
        return BertConfig(**{**sizes, **settings})

    monkeypatch.setattr(soft_labels, "BertConfig", narrow)
    state = torch.get_rng_state()
    found = bert_base_cost(3, 16)
    assert torch.equal(torch.get_rng_state(), state)
    assert found == teacher_cost(BertForSequenceClassification(narrow(num_labels=3)), 16)


def test_its_parameters_are_those_that_are_published() -> None:
    assert bert_base_cost(2, 8).parameters == BERT_BASE_PARAMETERS + 2 * 768 + 2
