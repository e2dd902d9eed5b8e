from __future__ import annotations

from pathlib import Path

import pytest
from report.test_svg import LAYERS, chart

from rosearch.report.chart import Bars
from rosearch.report.layers import lay_out
from rosearch.report.plotting import draw_charts, graph_png
from rosearch.space.known import KNOWN


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_every_layer_can_be_drawn_with_names_that_hold_anything(kind: str, tmp_path: Path) -> None:
    draw_charts([chart(*LAYERS), chart(Bars("$x", "one", (1.0,)), names=("a_$b",))]).savefig(tmp_path / f"f.{kind}")
    assert (tmp_path / f"f.{kind}").stat().st_size > 1000


def test_wide_charts_stand_below_each_other_and_others_beside() -> None:
    below = draw_charts([chart(*LAYERS, wide=True)] * 2).get_size_inches()
    beside = draw_charts([chart(*LAYERS)] * 2).get_size_inches()
    assert below[1] > beside[1] and beside[0] > below[0]


def test_names_stand_from_the_top_down_and_ticks_are_those_of_the_page() -> None:
    axes = draw_charts([chart(Bars("", "one", (4.0, 2.0)), names=("first", "second"))]).axes[0]
    assert axes.get_ylim() == (1.5, -0.5) and [text.get_text() for text in axes.get_yticklabels()] == [
        "first",
        "second",
    ]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "1", "2", "3", "4"]


def test_the_picture_of_an_architecture_is_a_png_and_the_same_each_time() -> None:
    drawing = lay_out(KNOWN["adabert"].genotype)
    assert graph_png(drawing) == graph_png(drawing) and graph_png(drawing).startswith(b"\x89PNG")
