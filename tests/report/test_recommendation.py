from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import rosearch
from small_run import Quiet, write_encoder_experiment

from rosearch.config.file import load_experiment
from rosearch.errors import RunError
from rosearch.measurements import Latency
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.report.recommendation import recommend, recommendations_table
from rosearch.run.results import Results
from rosearch.search import run_search


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("recommend")
    experiment = load_experiment(write_encoder_experiment(folder))
    return run_search(RunDirectory.create(folder / "runs", experiment), Quiet())


def timed(record: Record, ms: float, quality: float) -> Record:
    found = record.measurements
    assert found is not None
    efficiency = replace(found.efficiency, latency=(Latency(1, ms, ms, ms),))
    quality_ = replace(found.quality, value=quality)
    return replace(record, measurements=replace(found, efficiency=efficiency, quality=quality_))


@pytest.fixture
def known(searched: Results) -> Results:
    """Three candidates whose latency and quality are known."""
    values = iter([(2.0, 0.5), (4.0, 0.9), (8.0, 0.7)])
    records = [timed(r, *next(values)) if r.role == "candidate" else r for r in searched.records]
    return replace(searched, records=tuple(records))


def picked(results: Results, *budgets: float, **options: Any) -> list[str | None]:
    return [one.record.id if one.record else None for one in recommend(results, budgets, **options)]


class TestRecommend:
    def test_names_the_best_quality_that_keeps_each_budget(self, known: Results) -> None:
        slow, best = (known.of("candidate")[index].id for index in (0, 1))
        assert picked(known, 10, 3, 4, 1) == [None, slow, best, best]  # small budgets first

    def test_says_among_how_many_and_what_retraining_gave(self, known: Results) -> None:
        (found,) = recommend(known, [10])
        assert found.among == 3 and found.record is not None
        again = [r for r in known.measured("finalist") if r.id == found.record.id]
        assert len(found.finalists) == len(again)

    def test_never_names_what_missed_a_gate(self, known: Results) -> None:
        strict = known.experiment.fitness.model_copy(update={"min_quality": 0.6})
        gated = replace(known, experiment=known.experiment.model_copy(update={"fitness": strict}))
        assert picked(gated, 3, 10) == [None, known.of("candidate")[1].id]

    def test_of_equals_names_the_faster(self, searched: Results) -> None:
        values = iter([(2.0, 0.5), (4.0, 0.5), (1.0, 0.5)])
        records = [timed(r, *next(values)) if r.role == "candidate" else r for r in searched.records]
        results = replace(searched, records=tuple(records))
        assert picked(results, 10) == [results.of("candidate")[2].id]

    def test_shows_what_an_encoder_loses_where_students_show_accuracy_under_attack(self, known: Results) -> None:
        table = recommendations_table(known, recommend(known, [10]))
        names = [column.name for column in table.columns]
        best = known.of("candidate")[1].measurements
        assert best is not None
        assert [cells[names.index("held-out loss")] for cells in table.texts()] == [f"{best.held_out_loss:.4f}"]
        assert "under attack" not in names

    def test_takes_no_latency_of_another_device(self, known: Results) -> None:
        with pytest.raises(RunError, match="timed on cuda"):
            recommend(known, [10], device="cuda")


class TestTheCommand:
    def test_prints_a_table_and_draws_the_front(self, searched: Results, tmp_path: Path) -> None:
        shown = rosearch("recommend", searched.run.path, "--latency-ms", "0.000001,1000", cwd=tmp_path).stdout
        assert "nothing is as fast" in shown and "1000 ms" in shown and "fidelity" in shown
        assert (searched.run.tables / "latency.png").read_bytes().startswith(b"\x89PNG")

    def test_gives_plain_data(self, searched: Results, tmp_path: Path) -> None:
        data = rosearch("recommend", searched.run.path, "--latency-ms", "1000", "--json", cwd=tmp_path).data
        (one,) = data["recommendations"]
        record = next(r for r in searched.of("candidate") if r.id == one["id"])
        assert record.measurements is not None
        assert one["latency_ms"] == record.measurements.efficiency.latency[0].median_ms
        assert one["quality"] == max(r.measurements.quality.value for r in searched.of("candidate") if r.measurements)

    @pytest.mark.parametrize("budgets", ["", "five", "5,-1", "5,,6", "nan"])
    def test_refuses_what_are_no_milliseconds(self, budgets: str, searched: Results, tmp_path: Path) -> None:
        printed = rosearch("recommend", searched.run.path, "--latency-ms", budgets, cwd=tmp_path, expect=2)
        assert "milliseconds" in printed.stderr
