from __future__ import annotations

import random
from itertools import combinations

import pytest
from report.made_records import make_genotype

from rosearch.report.layers import BOX, lay_out
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

# conv reads the text; ffn reads conv; attention reads ffn and the text; a second conv is a sink of its own.
SKIPPING = Genotype(
    128,
    64,
    "mean",
    (
        Node.of("conv", (0,), kernel=3),
        Node.of("ffn", (1,), ratio=2, activation="gelu"),
        Node.of("attention", (2, 0), "gate", heads=4, conv=False),
        Node.of("conv", (0,), kernel=5),
    ),
)


def test_every_operation_stands_below_all_that_it_reads() -> None:
    drawing = lay_out(SKIPPING)
    height = {(box.name, box.detail): box.y for box in drawing.boxes}
    assert height["text", "rank 64"] < height["conv", "kernel 3"] < height["ffn", "gelu, x2"]
    assert height["ffn", "gelu, x2"] < height["attention", "heads 4"] < height["output", "mean of 128"]


def test_edges_that_pass_layers_are_told_from_others_and_run_through_each() -> None:
    wires = lay_out(SKIPPING).wires
    skips = [wire for wire in wires if wire.skip]
    assert len(wires) == 7 and len(skips) == 2  # text to attention, the second conv to the output
    assert {len(wire.places) for wire in wires if not wire.skip} == {2}
    assert {len(wire.places) for wire in skips} == {6}


def test_merges_are_named_where_several_are_read() -> None:
    merges = {box.name: box.merge for box in lay_out(SKIPPING).boxes if box.merge}
    assert merges == {"attention": "gate", "output": "mean"}


def test_what_does_nothing_is_not_drawn() -> None:
    idle = SKIPPING.with_(nodes=(*SKIPPING.nodes, Node.of("identity", (1,))))
    assert [box.name for box in lay_out(idle).boxes].count("identity") == 0
    merged = SKIPPING.with_(nodes=(*SKIPPING.nodes, Node.of("identity", (1, 3))))
    assert [box.name for box in lay_out(merged).boxes].count("identity") == 1


@pytest.mark.parametrize("seed", range(12))
def test_no_box_lies_on_another_or_outside_the_drawing(seed: int) -> None:
    drawing = lay_out(make_genotype(random.Random(seed), nodes=12))
    for one, other in combinations(drawing.boxes, 2):
        assert abs(one.x - other.x) >= BOX[0] or abs(one.y - other.y) >= BOX[1]
    for box in drawing.boxes:
        assert BOX[0] / 2 <= box.x <= drawing.width - BOX[0] / 2 and box.y + BOX[1] / 2 <= drawing.height


def test_the_settings_of_the_source_are_told() -> None:
    told = lay_out(SKIPPING.with_(source=(("encoding", "task_typos"), ("token_dropout", 0.1)))).boxes[0].detail
    assert told == "task_typos, token_dropout 0.1"
