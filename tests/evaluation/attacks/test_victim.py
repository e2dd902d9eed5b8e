"""The batches and the padding with which the model under attack is asked."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.modeling_outputs import SequenceClassifierOutput

from rosearch.evaluation.attacks.victim import Victim

TOKENIZER: Any = SimpleNamespace(model_input_names=["input_ids"], padding_side="right", pad_token_id=0)


class SumOfTokens(torch.nn.Module):
    """Logits are the sum of a row's ids and its number of tokens; it remembers the masks that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: list[torch.Tensor] = []

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SequenceClassifierOutput:
        self.masks.append(attention_mask)
        logits = torch.stack([(input_ids * attention_mask).sum(1), attention_mask.sum(1)], dim=1)
        return SequenceClassifierOutput(logits=logits.float())


def scored(lengths: list[int], **settings: Any) -> tuple[Victim, SumOfTokens]:
    """A victim that was asked for rows of these lengths; its answers are right."""
    model = SumOfTokens()
    victim = Victim(model, TOKENIZER, 64, torch.device("cpu"), **settings)
    ids = np.arange(1, sum(lengths) + 1)
    rows = np.split(ids, np.cumsum(lengths)[:-1])
    assert victim.score(ids, None, np.array(lengths)).tolist() == [[row.sum(), len(row)] for row in rows]
    return victim, model


@given(st.lists(st.integers(1, 60), min_size=1, max_size=200))
def test_on_a_cpu_a_batch_is_cut_rather_than_padded_by_more_than_a_pass_costs(lengths: list[int]) -> None:
    victim, model = scored(lengths)
    asked = [mask.sum(1).tolist() for mask in model.masks]
    assert [length for own in asked for length in own] == sorted(lengths)
    for mask, (own, following) in zip(model.masks, pairwise([*asked, []]), strict=True):
        assert len(own) <= victim.rows_a_batch
        before_last = [length for length in own if length < max(own)]
        assert sum(max(own) - length for length in before_last) == (mask == 0).sum() <= victim.padding_a_batch
        if following and len(own) < victim.rows_a_batch:  # it was worth a cut
            assert sum(following[0] - length for length in own) > victim.padding_a_batch


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_who_names_the_rows_of_a_batch_gets_so_many_in_all_but_the_last(rows: int) -> None:
    _, model = scored([1, 60, 2, 59, 3, 58, 4], rows_a_batch=rows)
    counts = [len(mask) for mask in model.masks]
    assert counts[:-1] == [rows] * (len(counts) - 1)
    assert sum(counts) == 7


def test_no_rows_have_no_logits() -> None:
    victim = Victim(SumOfTokens(), TOKENIZER, 64, torch.device("cpu"))
    with pytest.raises(ValueError, match="no rows to score"):
        victim.score(np.zeros(0, np.int64), None, np.zeros(0, np.int64))
