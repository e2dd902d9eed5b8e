from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from damaged_files import DAMAGES
from evaluation.tiny_model import make_model

from rosearch.config.evaluation import EfficiencyConfig
from rosearch.errors import RosearchError
from rosearch.evaluation import latency_table, quiet_latency
from rosearch.evaluation.latency_table import LatencyTable, fingerprint
from rosearch.evaluation.quiet_latency import Subject, idlest_cores, measure_quietly, narrowest, spread
from rosearch.files import content
from rosearch.measurements import Latency
from rosearch.models import device
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

CONFIG = EfficiencyConfig(batch_sizes=[1, 2], tokens=8, warmup=1, repeats=3)
IN_ONNX = CONFIG.model_copy(update={"runtime": "onnx"})
SMALL = Genotype(16, 8, "first", (Node.of("ffn", ratio=1.0, activation="gelu"),))
OTHER = Genotype(16, 8, "mean", (Node.of("ffn", ratio=1.0, activation="gelu"),))


def latency(low: float, median: float, high: float) -> Latency:
    return Latency(1, median, low, high)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Subject]:
    """The record of what was asked for; nothing is measured."""
    subjects: list[Subject] = []

    def measure(asked: Sequence[Subject], config: EfficiencyConfig, threads: int) -> list[tuple[Latency, ...]]:
        subjects.extend(asked)
        return [(latency(1.0, float(len(subjects)), 99.0),) for _ in asked]

    monkeypatch.setattr(latency_table, "measure_quietly", measure)
    return subjects


class TestMeasureQuietly:
    def test_times_an_architecture_and_a_saved_model_in_another_process(self, tmp_path: Path) -> None:
        make_model(vocabulary=30).save_pretrained(tmp_path)
        subjects = [Subject(SMALL, vocabulary=50), Subject(folder=tmp_path)]
        both = measure_quietly(subjects, CONFIG, threads=1)
        assert len(both) == 2
        for found in both:
            assert [one.batch_size for one in found] == [1, 2]
            assert all(0 < one.low_ms <= one.median_ms <= one.high_ms for one in found)

    def test_says_in_one_line_why_the_process_failed(self, tmp_path: Path) -> None:
        with pytest.raises(RosearchError, match="the process that measures it failed") as caught:
            measure_quietly([Subject(folder=tmp_path / "nothing")], CONFIG, threads=1)
        assert "\n" not in str(caught.value)

    def test_measures_again_where_the_spread_is_wide_and_the_narrowest_round_counts(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rounds = [latency(5, 10, 15), latency(8, 10, 12), latency(9.9, 10, 10.1), latency(10, 10, 10)]
        waiting = iter(rounds)
        monkeypatch.setattr("rosearch.evaluation.efficiency.measure_latency", lambda *_: next(waiting))
        monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
        config = EfficiencyConfig(batch_sizes=[1], tokens=8)
        subject = Subject(SMALL, vocabulary=50).to_dict()
        question = {"subjects": [subject], "config": config.model_dump(mode="json"), "threads": 1}
        assert quiet_latency._answer(question) == [(rounds[2],)]
        assert next(waiting) is rounds[3]

    def test_gives_up_after_some_rounds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[Any] = []

        def noisy(*arguments: Any) -> Latency:
            calls.append(arguments)
            return latency(5, 10, 30 - len(calls))

        monkeypatch.setattr("rosearch.evaluation.efficiency.measure_latency", noisy)
        monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
        question = {
            "subjects": [Subject(SMALL, vocabulary=50).to_dict()],
            "config": EfficiencyConfig(batch_sizes=[1], tokens=8).model_dump(mode="json"),
            "threads": 1,
        }
        ((found,),) = quiet_latency._answer(question)
        assert len(calls) == quiet_latency.ROUNDS and found.high_ms == 30 - quiet_latency.ROUNDS

    def test_times_the_graph_of_a_model_where_onnx_runtime_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        timed: list[Any] = []

        def note(model: Any, *_: Any) -> Latency:
            timed.append(model)
            return latency(1.0, 1.0, 1.0)

        monkeypatch.setattr("rosearch.evaluation.efficiency.measure_latency", note)
        monkeypatch.setattr("rosearch.evaluation.efficiency.in_runtime", lambda model, config: (config.runtime, model))
        monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
        for config in (CONFIG, IN_ONNX):
            question = {"subjects": [Subject(SMALL, vocabulary=50).to_dict()], "threads": 1}
            quiet_latency._answer({**question, "config": config.model_dump(mode="json")})
        assert [runtime for runtime, _ in timed] == ["eager", "eager", "onnx", "onnx"]
        assert timed[2][1] is timed[3][1]  # one graph for all batch sizes


def test_the_narrowest_round_is_that_of_the_smallest_quartile_range_over_its_median() -> None:
    rounds = [latency(9, 10, 11), latency(95, 100, 104), latency(1, 2, 3)]
    assert narrowest(rounds) is rounds[1] and spread(rounds[1]) == pytest.approx(0.09)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="a system that pins no process")
def test_the_idlest_cores_are_those_whose_ticks_grew_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 5})
    ticks = iter([{0: 10, 1: 50, 2: 0, 5: 7}, {0: 40, 1: 51, 2: 30, 5: 9}])
    monkeypatch.setattr(quiet_latency, "_busy_ticks", lambda: next(ticks))
    monkeypatch.setattr(quiet_latency, "_WATCH_S", 0.0)
    assert idlest_cores(2) == {1, 5}


class TestLatencyTable:
    def test_measures_an_architecture_once(self, tmp_path: Path, measured: list[Subject]) -> None:
        first = LatencyTable(tmp_path).latencies([Subject(SMALL, vocabulary=50)], CONFIG, 1)
        twice = [Subject(SMALL, vocabulary=30000), Subject(OTHER), Subject(SMALL)]
        again = LatencyTable(tmp_path).latencies(twice, CONFIG, 1)
        assert [first[0], first[0]] == [again[0], again[2]] and [one.genotype for one in measured] == [SMALL, OTHER]

    def test_tells_apart_all_that_latency_follows_from(self, tmp_path: Path, measured: list[Subject]) -> None:
        table = LatencyTable(tmp_path)
        longer = CONFIG.model_copy(update={"tokens": 16})
        for subject, config, threads in (
            (Subject(SMALL), CONFIG, 1),
            (Subject(OTHER), CONFIG, 1),
            (Subject(SMALL), longer, 1),
            (Subject(SMALL), CONFIG, 2),
            (Subject(SMALL), IN_ONNX, 1),
        ):
            table.latencies([subject], config, threads)
        assert len(measured) == 5
        first, *_, last = json.loads(content(table.path))["table"]
        assert first == f"{SMALL.id} 1,2x8 1 threads 1+3"  # as in the tables of older versions
        assert last == f"{first} onnxruntime {version('onnxruntime')}"

    def test_takes_nothing_from_another_machine(
        self, tmp_path: Path, measured: list[Subject], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        LatencyTable(tmp_path).latencies([Subject(SMALL)], CONFIG, 1)
        here = fingerprint()
        monkeypatch.setattr(device, "_processor", lambda: "another processor")
        assert fingerprint() != here
        LatencyTable(tmp_path).latencies([Subject(SMALL)], CONFIG, 1)
        assert len(measured) == 2

    def test_a_stop_among_many_graphs_loses_no_graph_that_was_timed_in_an_earlier_process(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []

        def measure(subjects: Sequence[Subject], config: EfficiencyConfig, threads: int) -> list[tuple[Latency, ...]]:
            if asked and len(asked) % 2:
                asked.append(0)
                raise KeyboardInterrupt
            asked.append(len(subjects))
            return [(latency(1.0, 2.0, 3.0),) for _ in subjects]

        monkeypatch.setattr(latency_table, "measure_quietly", measure)
        subjects = [Subject(replace(SMALL, width=16 * width)) for width in range(1, latency_table.GRAPHS_AT_ONCE + 3)]
        with pytest.raises(KeyboardInterrupt):
            LatencyTable(tmp_path).latencies(subjects, IN_ONNX, 1)
        assert len(LatencyTable(tmp_path).latencies(subjects, IN_ONNX, 1)) == len(subjects)
        assert asked == [latency_table.GRAPHS_AT_ONCE, 0, 2]

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_damaged_file_is_measured_anew(self, damage: str, tmp_path: Path, measured: list[Subject]) -> None:
        table = LatencyTable(tmp_path)
        table.latencies([Subject(SMALL)], CONFIG, 1)
        DAMAGES[damage](table.path)
        assert table.latencies([Subject(SMALL)], CONFIG, 1)[0][0].median_ms == 2.0
        assert json.loads(content(table.path))["machine"] == device.machine()

    @pytest.mark.parametrize(("slower", "kept"), [(1.2, True), (0.81, True), (1.3, False), (0.7, False)])
    def test_begins_again_where_a_model_that_it_has_takes_another_time_now(
        self, slower: float, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The machine throttles, or is shared with others: earlier times compare with nothing from now on."""
        speed, asked = [1.0], list[Genotype | None]()

        def measure(subjects: Sequence[Subject], config: EfficiencyConfig, threads: int) -> list[tuple[Latency, ...]]:
            asked.extend(one.genotype for one in subjects)
            return [(latency(1.0, 8.0 * speed[0], 9.0),) for _ in subjects]

        monkeypatch.setattr(latency_table, "measure_quietly", measure)
        table = LatencyTable(tmp_path)
        table.yardstick(Subject(OTHER), CONFIG, 1)
        table.latencies([Subject(SMALL), Subject(OTHER)], CONFIG, 1)
        assert asked == [OTHER, SMALL]
        speed[0] = slower
        assert table.yardstick(Subject(OTHER), CONFIG, 1)[0].median_ms == 8.0 * slower
        asked.clear()
        table.latencies([Subject(SMALL), Subject(OTHER)], CONFIG, 1)
        assert asked == ([] if kept else [SMALL])
