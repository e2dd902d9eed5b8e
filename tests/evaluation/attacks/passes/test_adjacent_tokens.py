from __future__ import annotations

import pytest
import torch
from evaluation.attacks.passes.test_real_tokens import TEXTS, Texts, batch
from hypothesis import given, settings
from hypothesis import strategies as st
from student.small_students import case_name
from torch import Tensor
from torch.nn import functional as F

from rosearch.evaluation.attacks.passes import adjacent_tokens
from rosearch.evaluation.attacks.passes.adjacent_tokens import Reach, look
from rosearch.evaluation.attacks.passes.real_tokens import laid_out
from rosearch.student.local_operations import LocalOperation
from rosearch.student.operations import OPERATIONS

WIDTH = 8
CASES: list[tuple[str, dict[str, object]]] = [
    (op, {"kernel": kernel})
    for op in ("conv", "separable_conv", "dilated_conv", "light_conv", "max_pool", "avg_pool")
    for kernel in (1, 3, 7)
]


def operation(op: str, settings: dict[str, object]) -> LocalOperation:
    torch.manual_seed(2)
    module = OPERATIONS[op](WIDTH, **settings)
    assert isinstance(module, LocalOperation)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module.eval()


@pytest.mark.parametrize("case", CASES, ids=case_name)  # type: ignore[arg-type]
@settings(max_examples=25)
@given(texts=TEXTS, alike=st.booleans(), spare=st.sampled_from([0, 40]))
def test_each_text_is_seen_as_if_it_stood_alone(
    case: tuple[str, dict[str, object]], texts: Texts, alike: bool, spare: int
) -> None:
    module = operation(*case)
    vectors = torch.randn(4 * 7, WIDTH, generator=torch.Generator().manual_seed(1))  # by id and position
    found = laid_out(*batch(texts), None)
    assert found is not None
    of = torch.from_numpy(found.source.of)
    few = vectors[found.ids[0] * 7 + found.positions[0]]
    reach = Reach(module.along, module.reach, module.dilation, module.zeros_pad)
    with torch.inference_mode():
        made, seen = look(reach, few if alike else few[of], found, found.source if alike else None, spare)
        assert len(made) >= found.count(seen) + spare and len(made) % 32 == 0 and made.isfinite().all()
        made = made if seen is None else F.embedding(torch.from_numpy(seen.of), made)
        for start, several, tokens in found.groups:
            for begin in range(start, start + several * tokens, tokens):
                alone = module.along(few[of][None, begin : begin + tokens], None)[0]
                torch.testing.assert_close(made[begin : begin + tokens], alone, atol=1e-5, rtol=1e-5)


def test_only_tokens_that_are_needed_are_laid_out() -> None:
    texts = [list(range(1, 40)) for _ in range(5)]
    for row in range(1, 5):
        texts[row][20] = 50 + row
    found = laid_out(*batch(texts), None)
    assert found is not None
    widths: list[int] = []

    def along(x: Tensor, keep: Tensor | None) -> Tensor:
        widths.append(x.shape[1])
        assert keep is None
        return x

    few = torch.randn(len(found.source.first), WIDTH)
    made, seen = look(Reach(along, 1), few, found, found.source)
    assert seen is not None and len(seen.first) == 39 + 4 * 3
    places = adjacent_tokens._long_text(found, seen.first, 1)
    assert (~places.empty).sum() == 39 + 4 * 5  # of each other text 3 tokens, and one to either side
    assert places.empty[:, :63].sum() == 4 and widths == [64]
    assert len(made) == 64  # 51, up to a multiple of 32


@pytest.mark.parametrize(
    ("texts", "reach", "shape"),
    [
        ([[1, 2, 3, 4]] * 8, 7, (8, 4)),
        ([[1, 2, 3]] * 7 + [[1] * 20], 1, (1, 48)),
    ],
)
def test_where_empty_places_would_be_more_than_padding_the_batch_is_padded(
    texts: Texts, reach: int, shape: tuple[int, int]
) -> None:
    found = laid_out(*batch(texts), None)
    assert found is not None
    shapes: list[tuple[int, ...]] = []

    def along(x: Tensor, keep: Tensor | None) -> Tensor:
        shapes.append(tuple(x.shape[:2]))
        return x

    look(Reach(along, reach), torch.randn(found.count(None), WIDTH), found, None)
    assert shapes == [shape]


def test_sizes_are_few_and_at_most_an_eighth_larger() -> None:
    sizes = [adjacent_tokens._few_sizes(rows) for rows in range(1, 5000)]
    assert all(rows <= size < rows + max(8, rows / 8) for rows, size in enumerate(sizes, 1))
    assert len(set(sizes)) < 75
