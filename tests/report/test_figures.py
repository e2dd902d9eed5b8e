from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rosearch.config.fitness import FitnessConfig
from rosearch.errors import MissingResource
from rosearch.evolution.fitness import Yardstick
from rosearch.records.record import Record
from rosearch.report.figures import draw_correlations
from rosearch.report.statistics import feature_statistics
from rosearch.report.tables import records_table

Search = Callable[[int], Sequence[Record]]
JUDGE = Yardstick(FitnessConfig(), 0.9).score


def is_picture(path: Path) -> bool:
    """A PNG of more than one colour."""
    from matplotlib.image import imread

    return path.read_bytes().startswith(b"\x89PNG") and bool(imread(path).std() > 0.01)


def test_the_correlations_of_a_run_become_a_picture(search_records: Search, tmp_path: Path) -> None:
    statistics = feature_statistics(records_table(search_records(12)))
    assert is_picture(draw_correlations(statistics, tmp_path / "correlations.png", title="a run"))


def test_a_single_outcome_of_nothing_but_constants_can_be_drawn(search_records: Search, tmp_path: Path) -> None:
    table = records_table(search_records(6)).assign(quality=0.5, under_attack=math.nan, words_to_break=math.nan)
    assert is_picture(draw_correlations(feature_statistics(table), tmp_path / "correlations.png"))


def test_statistics_without_a_usable_candidate_become_a_picture_that_says_so(
    search_records: Search, tmp_path: Path
) -> None:
    constant = records_table(search_records(6)).assign(largest_class_share=1.0)
    assert is_picture(draw_correlations(feature_statistics(constant), tmp_path / "correlations.png"))


def test_without_matplotlib_one_line_says_what_to_install(
    search_records: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingResource, match="pip install matplotlib"):
        draw_correlations(feature_statistics(records_table(search_records(6))), tmp_path / "correlations.png")
    assert list(tmp_path.iterdir()) == []
