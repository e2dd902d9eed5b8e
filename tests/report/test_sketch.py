from __future__ import annotations

import random
import re

import pytest
from report.made_records import make_genotype

from rosearch.report.sketch import sketch
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.space.node import Node

FFN = {"ratio": 2.0, "activation": "gelu"}
SKIPPING = Genotype(
    128, 64, "mean",
    (
        Node.of("ffn", [0], "add", **FFN),
        Node.of("conv", [1], "add", kernel=3),
        Node.of("glu", [2, 1, 0], "concat"),
    ),
)  # fmt: skip


def test_merges_and_skips_are_drawn() -> None:
    assert sketch(SKIPPING) == [
        "   [text rank 64]",
        "         ┌┴────────┐",
        " [ffn gelu, x2.0]  ┊",
        "       ┌─┴───────┐ └┐",
        "[conv kernel 3]  ┊  ┊",
        "       └┐ ┌──────┘  │",
        "        │ │ ┌───────┘",
        "    [concat: glu]",
        "          │",
        "[output mean of 128]",
    ]


def test_plain_lines_are_ascii_and_of_the_same_shape() -> None:
    drawn, plain = sketch(SKIPPING), sketch(SKIPPING, plain=True)
    assert all(line.isascii() for line in plain) and list(map(len, plain)) == list(map(len, drawn))
    assert plain[2] == " [ffn gelu, x2.0]  :" and plain[3] == "       +-+-------+ ++"


def sampled(seed: int) -> Genotype:
    rng = random.Random(seed)
    return make_genotype(rng, nodes=rng.randint(1, 12)) if seed % 2 else load_space("robust_dag").sample(rng)


@pytest.mark.parametrize("seed", range(40))
def test_every_architecture_fits_80_columns_and_every_line_leads_from_a_box_to_a_box(seed: int) -> None:
    lines = sketch(sampled(seed))
    assert max(map(len, lines)) <= 80
    grid = [re.sub(r"\[[^]]*]", lambda box: "#" * len(box[0]), line).ljust(80) for line in lines]
    up, down = set("│┘└├┤┴┼┊"), set("│┐┌├┤┬┼┊")
    for row, line in enumerate(grid):
        for column, sign in enumerate(line):
            if sign in up:
                assert grid[row - 1][column] in down | {"#"}, (row, column)
            if sign in down:
                assert grid[row + 1][column] in up | {"#"}, (row, column)


def test_the_same_architecture_is_drawn_alike_each_time() -> None:
    assert sketch(sampled(4)) == sketch(sampled(4))
