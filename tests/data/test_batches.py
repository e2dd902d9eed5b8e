from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.conftest import make_split

from rosearch.data.batches import Batch, batch_count, collate, evaluation_batches, training_batches
from rosearch.data.tasks import Split
from rosearch.data.tokens import TokenisedSplit, tokenise


@pytest.fixture(scope="module")
def tokenised(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> TokenisedSplit:
    rng = np.random.default_rng(0)
    pairs = [("good " * rng.integers(1, 12), "bad " * rng.integers(1, 20)) for _ in range(1003)]
    return tokenise(make_split(pairs, list(range(1003))), tokenizer, 24, tmp_path_factory.mktemp("cache"))


def same(first: Batch, second: Batch) -> bool:
    pairs = [(first.input_ids, second.input_ids), (first.labels, second.labels)]
    return (first.rows == second.rows).all() and all(torch.equal(one, other) for one, other in pairs)


def check_against_rows(batch: Batch, tokenised: TokenisedSplit) -> None:
    lengths = tokenised.lengths[batch.rows]
    assert batch.input_ids.shape == (len(batch), lengths.max())
    assert batch.token_type_ids is not None and tokenised.token_types is not None
    for index, row in enumerate(batch.rows):
        length, start = lengths[index], tokenised.offsets[row]
        assert batch.input_ids[index, :length].tolist() == tokenised.row(row).tolist()
        assert batch.input_ids[index, length:].eq(tokenised.pad_id).all()
        assert batch.attention_mask[index].tolist() == [1] * length + [0] * (len(batch.input_ids[0]) - length)
        assert batch.token_type_ids[index, :length].tolist() == tokenised.token_types[start : start + length].tolist()
        assert not batch.token_type_ids[index, length:].any()
        assert batch.labels[index] == row


def test_a_batch_holds_its_rows_padded_to_the_longest_of_them(tokenised: TokenisedSplit) -> None:
    batch = collate(tokenised, np.array([5, 1002, 0, 5]))
    check_against_rows(batch, tokenised)
    for tensor in (batch.input_ids, batch.attention_mask, batch.token_type_ids, batch.labels):
        assert tensor is not None and tensor.dtype == torch.int64


def test_an_epoch_holds_every_row_once_in_full_batches_but_one(tokenised: TokenisedSplit) -> None:
    batches = list(training_batches(tokenised, 16, seed=1, epoch=0))
    assert sorted(np.concatenate([batch.rows for batch in batches])) == list(range(1003))
    assert sorted(len(batch) for batch in batches) == [11] + [16] * 62
    assert len(batches) == batch_count(1003, 16)
    for batch in batches[:5]:
        check_against_rows(batch, tokenised)


def test_training_batches_depend_on_seed_and_epoch_alone(tokenised: TokenisedSplit) -> None:
    def epoch(seed: int, number: int) -> list[Batch]:
        np.random.rand()  # the global generators have no part in it
        return list(training_batches(tokenised, 16, seed, number))

    assert all(map(same, epoch(1, 0), epoch(1, 0)))
    assert not all(
        (one.rows == other.rows).all() for one, other in zip(epoch(1, 0), epoch(1, 1)) if len(one) == len(other)
    )
    assert not all(
        (one.rows == other.rows).all() for one, other in zip(epoch(1, 0), epoch(2, 0)) if len(one) == len(other)
    )


def test_training_batches_are_bucketed_and_yet_mixed(tokenised: TokenisedSplit) -> None:
    batches = list(training_batches(tokenised, 16, seed=1, epoch=0))
    padded = sum(batch.input_ids.numel() for batch in batches)
    assert padded < 1.1 * tokenised.lengths.sum()
    lengths = [batch.input_ids.shape[1] for batch in batches]
    assert lengths != sorted(lengths) and lengths != sorted(lengths, reverse=True)


def test_evaluation_batches_hold_every_row_once_longest_first(tokenised: TokenisedSplit) -> None:
    batches = list(evaluation_batches(tokenised, 50))
    rows = np.concatenate([batch.rows for batch in batches])
    assert sorted(rows) == list(range(1003))
    assert (np.diff(tokenised.lengths[rows]) <= 0).all()
    check_against_rows(batches[3], tokenised)
    assert batches[0].input_ids.shape[1] == tokenised.lengths.max()


def test_a_split_smaller_than_a_batch_is_one_batch(tokenizer: Any, tmp_path: Path) -> None:
    small = tokenise(make_split(["good", "bad film"]), tokenizer, 16, tmp_path)
    assert [len(batch) for batch in training_batches(small, 32, seed=1, epoch=0)] == [2]
    assert [len(batch) for batch in evaluation_batches(small, 32)] == [2]


def test_scores_are_single_precision_labels(tokenizer: Any, tmp_path: Path) -> None:
    split = Split((("good",), ("bad",)), np.array([0.25, 5.0], dtype=np.float32))
    (batch,) = evaluation_batches(tokenise(split, tokenizer, 16, tmp_path), 8)
    assert batch.labels.dtype == torch.float32
    assert batch.labels.tolist() == split.labels[batch.rows].tolist()


def test_inputs_are_named_and_leave_absent_token_types_out(tokenised: TokenisedSplit) -> None:
    batch = collate(tokenised, np.array([0, 1]))
    assert set(batch.inputs) == {"input_ids", "attention_mask", "token_type_ids"}
    without = Batch(batch.rows, batch.input_ids, batch.attention_mask, None, batch.labels)
    assert set(without.inputs) == {"input_ids", "attention_mask"}


def test_a_batch_moves_to_a_device_with_all_its_tensors(tokenised: TokenisedSplit) -> None:
    batch = collate(tokenised, np.array([0, 1]))
    assert batch.to(torch.device("cpu")) is batch
    moved = batch.to(torch.device("meta"))
    assert {tensor.device.type for tensor in (*moved.inputs.values(), moved.labels)} == {"meta"}
    assert len(moved.inputs) == 3


@pytest.mark.gpu
def test_a_batch_on_a_gpu_equals_the_one_in_memory(tokenised: TokenisedSplit) -> None:
    batch = collate(tokenised, np.array([3, 7, 11]))
    moved = batch.to(torch.device("cuda"))
    assert moved.input_ids.is_cuda and moved.labels.is_cuda
    assert all(torch.equal(moved.inputs[name].cpu(), tensor) for name, tensor in batch.inputs.items())
