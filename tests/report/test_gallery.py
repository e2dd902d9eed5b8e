from __future__ import annotations

import warnings
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from rosearch.report.gallery import FIGURES, Gallery
from rosearch.report.opened import OpenedRun
from rosearch.run.results import Results


def test_every_figure_of_a_run_is_written_in_each_format(made: Results, tmp_path: Path) -> None:
    written = Gallery(made).write(tmp_path, ("svg", "png"))
    assert [path.name for path in written] == [f"{name}.{kind}" for name in FIGURES for kind in ("svg", "png")]
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")
    assert Xml.fromstring((tmp_path / "winners.svg").read_text()).tag.endswith("svg")


def test_a_figure_in_python_is_matplotlibs_and_can_be_changed(made: Results) -> None:
    figure = OpenedRun(made).figures.front()
    assert next(axes.get_title() for axes in figure.axes) == "Words to break over clean accuracy"
    assert figure.axes[1].get_xscale() == "log" and len(figure.axes) == 3


def test_where_nothing_was_measured_nothing_is_written_and_python_says_why(made: Results, tmp_path: Path) -> None:
    bare = Gallery(Results(made.run, made.experiment, None, [], False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bare.write(tmp_path) == []
    for draw in (bare.front, bare.winners):
        with pytest.raises(ValueError, match="there is n"):
            draw()
