from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn
from training.tiny_models import GENOTYPE, make_student

from rosearch.student.build import build_student
from rosearch.training import quick_steps
from rosearch.training.optimisers import Optimisers, RowAdam, decay_groups
from rosearch.training.quick_steps import sparse_word_table


def test_clipping_bounds_the_common_norm_of_dense_and_sparse_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step with a sparse word table sees the norm that plain torch computes with a dense one."""
    norms, clipped = [], []
    for sparse in (False, True):
        student = make_student(12).eval()
        student.get_input_embeddings().sparse = sparse
        loss = 100 * student(input_ids=torch.tensor([[2, 5, 5, 3]])).logits.square().sum()
        loss.backward()
        if sparse:
            optimisers = Optimisers(student, (), weight_decay=0.01, clip_norm=0.5)
            kept: list[torch.Tensor] = []
            for optimiser in optimisers.optimisers:
                monkeypatch.setattr(optimiser, "step", lambda: None)
                monkeypatch.setattr(optimiser, "zero_grad", lambda: None)
            norms.append(optimisers.step(0.1).item())
            kept = [p.grad.to_dense() for p in student.parameters() if p.grad is not None]
        else:
            norms.append(nn.utils.clip_grad_norm_(student.parameters(), 0.5).item())
            kept = [p.grad for p in student.parameters() if p.grad is not None]
        clipped.append(kept)
    assert norms[0] > 0.5  # there was something to clip
    assert norms[1] == pytest.approx(norms[0], rel=1e-5)
    for dense, sparse_one in zip(*clipped, strict=True):
        torch.testing.assert_close(sparse_one, dense)


def test_norms_biases_and_tables_do_not_decay() -> None:
    student = make_student(12)
    decayed, plain = decay_groups(student, ())
    names = {id(parameter): name for name, parameter in student.named_parameters()}
    assert {names[id(p)] for p in decayed} == {
        name
        for name, p in student.named_parameters()
        if (p.ndim >= 2 and not name.startswith("student.embeddings.")) or name.endswith("project.weight")
    }
    assert len(decayed) + len(plain) == len(names)


@pytest.mark.parametrize("characters", ["none", "cnn", "ngrams"])
def test_a_table_of_words_has_a_sparse_gradient_whatever_else_reads_them_and_one_of_ngrams_a_dense_one(
    characters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_steps, "_SPARSE_ROWS", 1)
    student = build_student(
        GENOTYPE.with_(source=(("characters", characters),)), labels=("no", "yes"), problem="classification",
        vocabulary=12, positions=8, token_types=1, pad_token_id=0, dropout=0.0, seed=1, pieces=[*"abcdefghijkl"],
    )  # fmt: skip
    words = student.get_input_embeddings()
    before = words.weight.detach().clone()
    with sparse_word_table(student):
        optimisers = Optimisers(student, (), weight_decay=0.01, clip_norm=1.0)
        student(input_ids=torch.tensor([[2, 5, 5, 3]])).logits.square().sum().backward()
        assert words.weight.grad.is_sparse == (characters != "ngrams")
        assert len(optimisers.sparse) == (characters != "ngrams")
        optimisers.step(0.1)
    moved = (words.weight != before).any(1).nonzero().flatten().tolist()
    expected = [2, 3, 5] if characters != "ngrams" else sorted({*words.buckets[[2, 3, 5]].flatten().tolist()} - {0})
    assert moved == expected
    assert not any(parameter is words.weight for parameter in decay_groups(student, ())[0])


def test_rows_are_updated_as_torch_does_it_to_the_bit_and_its_state_is_gone_on_from() -> None:
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(20, 3, generator=generator)
    tables = [nn.Parameter(start.clone()) for _ in range(2)]
    ours, torchs = RowAdam([tables[0]], lr=0.1), torch.optim.SparseAdam([tables[1]], lr=0.1)
    for step in range(6):
        rows, values = (
            torch.randint(20, (1, 9), generator=generator),
            torch.randn(9, 3, generator=generator),
        )
        for table, optimiser in zip(tables, (ours, torchs), strict=True):
            table.grad = torch.sparse_coo_tensor(rows, values, (20, 3), check_invariants=True)
            optimiser.param_groups[0]["lr"] = 0.1 / (1 + step)
            optimiser.step()
        assert torch.equal(*tables)
        if step == 3:  # a checkpoint of either is one of the other
            ours.load_state_dict(deepcopy(torchs.state_dict()))
    assert all(
        torch.equal(ours.state[tables[0]][name], torchs.state[tables[1]][name]) for name in ("exp_avg", "exp_avg_sq")
    )
