from __future__ import annotations

import random
from xml.etree import ElementTree as Xml

import pytest
from report.made_records import make_genotype

from rosearch.report.chart import Axis, Bars, Chart, Layer, Limit, Line, Links, Mark, Marks, Shape
from rosearch.report.layers import lay_out
from rosearch.report.svg import chart_svg, drawing_svg, swatch_svg

NASTY = '<script>alert("1")</script> & \''
SHAPES: tuple[Shape, ...] = ("dot", "ring", "diamond", "star", "cross")
LAYERS: tuple[Layer, ...] = (
    Limit("gate", "x", 0.4),
    Limit("gate", "y", 0.4),
    Links("links", "pale", ((0.1, 0.2, 0.3, 0.4),)),
    Line("line", "one", ((0.1, 0.2), (0.3, 0.4)), steps=True),
    *(Marks(shape, "plain", (Mark(0.5, 0.5, 3, (0.4, 0.6), (0.3, 0.7), NASTY),), shape) for shape in SHAPES),
)


def chart(*layers: Layer, wide: bool = False, names: tuple[str, ...] = ()) -> Chart:
    return Chart("c", NASTY, NASTY, Axis(NASTY), Axis(NASTY, names=names), layers, wide)


@pytest.mark.parametrize("wide", [False, True])
def test_a_chart_is_whole_xml_with_a_mark_for_each_record_and_names_as_text(wide: bool) -> None:
    picture = Xml.fromstring(chart_svg(chart(*LAYERS, wide=wide)))
    assert [mark.get("data-n") for mark in picture.iter() if mark.get("data-n")] == ["3"] * len(SHAPES)
    assert picture.get("aria-label") == NASTY and not list(picture.iter("script"))
    assert NASTY in [text.text for text in picture.iter("text")]
    assert not [element for element in picture.iter() if element.get("style")]  # a page's policy forbids it


def test_bars_begin_at_zero_and_are_as_long_as_their_values() -> None:
    picture = Xml.fromstring(chart_svg(chart(Bars("", "one", (4.0, 2.0)), names=("a", NASTY))))
    widths = [float(bar.get("width", 0)) for bar in picture.iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01) and len(widths) == 2


def test_labels_that_would_lie_on_others_are_left_out() -> None:
    many = tuple(Mark(0.5, 0.5, number, label=f"number {number}") for number in range(30))
    labels = [text.text for text in Xml.fromstring(chart_svg(chart(Marks("m", "plain", many)))).iter("text")]
    assert 1 <= sum(str(label).startswith("number") for label in labels) <= 4


def test_an_architecture_is_whole_xml_with_its_name_and_a_box_for_each_operation() -> None:
    drawing = lay_out(make_genotype(random.Random(1)))
    picture = Xml.fromstring(drawing_svg(drawing, NASTY))
    assert picture.get("aria-label") == NASTY and len(picture.findall("g")) == len(drawing.boxes)
    assert len(picture.findall("path")) == len(drawing.wires)


@pytest.mark.parametrize("layer", [*LAYERS, Bars("", "one", (1.0,))], ids=lambda layer: type(layer).__name__)
def test_every_layer_has_a_sign_for_the_legend(layer: Layer) -> None:
    assert len(list(Xml.fromstring(swatch_svg(layer)).iter())) >= 3
