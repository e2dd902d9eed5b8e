from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from rosearch.evaluation.attacks.passes.spare_rows import roomy

sizes = st.integers(0, 70)


@given(rows=sizes, behind=sizes, before=st.integers(0, 3), extra=st.integers(0, 40))
def test_all_rows_come_first_and_as_many_behind_as_were_asked_for(
    rows: int, behind: int, before: int, extra: int
) -> None:
    memory = torch.arange(float((before + rows + behind) * 3)).view(-1, 3)
    x, kept = memory[before : before + rows], memory.clone()
    made = roomy(x, extra)
    assert len(made) % 32 == 0 and rows + extra <= len(made) < rows + extra + 32
    assert torch.equal(made[:rows], x) and torch.equal(memory, kept)


def test_nothing_is_copied_where_memory_goes_on() -> None:
    memory = torch.zeros(64, 5)
    for x in (memory, memory[:40].view(5, 8, 5), memory[10:40]):
        assert roomy(x).data_ptr() == x.data_ptr()
    for x in (memory[40:], memory[:40, :3], memory[:40].view(5, 8, 5).transpose(0, 1)):
        made = roomy(x)
        assert made.untyped_storage().data_ptr() != memory.untyped_storage().data_ptr()
        assert torch.equal(made[: x.shape[:-1].numel()], x.reshape(-1, x.shape[-1]))
        assert not made[x.shape[:-1].numel() :].any()


def test_one_token_of_each_text_is_taken_as_it_is_meant() -> None:
    x = torch.randn(6, 4, 5)
    assert torch.equal(roomy(x[:, :1])[:6], x[:, 0])
    assert torch.equal(roomy(x[:1, :1])[:1], x[0, :1])
