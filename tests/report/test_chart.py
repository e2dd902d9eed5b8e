from __future__ import annotations

from rosearch.report.chart import Axis, Bars, Chart, Layer, Limit, Line, Links, Mark, Marks
from rosearch.report.data import SHARE, Unit

LAYERS: tuple[Layer, ...] = (
    Marks("m", "plain", (Mark(1.0, 2.0, x_ends=(0.5, 4.0)), Mark(3.0, 1.0, y_ends=(0.0, 9.0)))),
    Line("l", "one", ((-1.0, 3.0), (2.0, 4.0))),
    Links("k", "pale", ((0.0, -2.0, 5.0, 1.0),)),
    Limit("g", "x", 7.0),
)


UP = Axis("up")


def chart(*layers: Layer, y: Axis = UP) -> Chart:
    return Chart("c", "C", "", Axis("across"), y, layers)


def test_the_extent_holds_all_that_is_drawn_with_its_intervals_and_limits() -> None:
    assert chart(*LAYERS).extent("x") == (-1.0, 7.0)
    assert chart(*LAYERS).extent("y") == (-2.0, 9.0)
    bars = chart(Bars("", "one", (3.0, 1.0)), y=Axis("", names=("a", "b")))
    assert bars.extent("x") == (0.0, 3.0) and bars.extent("y") == (-0.5, 1.5)


def test_limits_alone_show_nothing() -> None:
    assert chart(Limit("g", "x", 7.0)).empty and chart().empty and chart(Marks("m", "plain", ())).empty
    assert not chart(*LAYERS).empty


def test_beside_shares_that_cannot_be_there_is_no_room() -> None:
    scale = Axis("share", SHARE).scale((0.0, 1.0), 0.0, 100.0)
    assert scale.low == -0.03 and scale.high == 1.03
    assert Axis("any").scale((0.0, 1.0), 0.0, 100.0).high > 1.05


def test_numbers_are_as_short_as_they_are_exact() -> None:
    assert [Axis("", SHARE).number(tick) for tick in (0.2, 0.925)] == ["20%", "92.5%"]
    assert Axis("", Unit(decimals=2, style=",")).number(1200.0) == "1,200"
