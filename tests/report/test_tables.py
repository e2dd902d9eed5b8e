from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from records import sample_records as samples
from report.made_records import make_genotype, make_measurements, make_record

from rosearch.config.fitness import FitnessConfig
from rosearch.evolution.fitness import Yardstick
from rosearch.measurements import SingleSwaps, Stopped
from rosearch.records.record import Record
from rosearch.records.store import Store
from rosearch.report.statistics import feature_statistics
from rosearch.report.tables import COLUMNS, records_table, replace_file, write_tables

Search = Callable[[int], Sequence[Record]]


def test_a_table_has_one_row_per_record_in_the_order_of_their_numbers(search_records: Search) -> None:
    records = search_records(3)
    table = records_table(reversed(records))
    assert table["number"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert table["id"].tolist() == [record.id for record in records]
    assert table["role"].tolist() == ["candidate"] * 5 + ["baseline", "finalist"]


def test_a_table_of_a_run_leaves_nothing_of_its_records_in_memory(tmp_path: Path) -> None:
    with Store.create(tmp_path / "records.sqlite") as store:
        store.propose(samples.generation_of(0, 3))
        store.finish(1, samples.measured(0.5))
    with Store.open(tmp_path / "records.sqlite", read_only=True) as store:
        records = store.stored()
    assert records_table(records)["quality"].tolist()[0] == 0.5
    assert all(vars(record).keys().isdisjoint({"measurements", "genotype"}) for record in records[:1])


def test_a_row_holds_what_was_measured(search_records: Search) -> None:
    record = search_records(1)[0]
    measured = record.measurements
    assert measured is not None and measured.robustness is not None
    row = records_table([record]).iloc[0]
    assert row["quality"] == measured.quality.value
    assert row["under_attack_low"] == measured.robustness.under_attack.low
    assert row["words_to_break_n"] == measured.robustness.words_to_break.n
    assert row["attack_errors"] == 1
    assert row["parameters"] == measured.efficiency.parameters
    assert (row["latency_ms_1"], row["latency_ms_32"]) == (2.0, 20.0)
    assert row["seconds_distil"] == 1.5
    assert record.genotype == type(record.genotype).from_json(row["genotype"])


def test_measured_parameters_stand_before_counted_ones(search_records: Search) -> None:
    record = search_records(1)[0]
    assert record.measurements is not None
    efficiency = replace(record.measurements.efficiency, parameters=123)
    built = replace(record, measurements=replace(record.measurements, efficiency=efficiency))
    assert records_table([built])["parameters"].tolist() == [123]


def test_what_a_record_does_not_have_is_missing(search_records: Search) -> None:
    table = records_table(search_records(1))
    failed, pending = table.iloc[1], table.iloc[2]
    assert (failed["status"], failed["failure_kind"], failed["failure_stage"]) == ("failed", "nan", "distil")
    assert failed[["quality", "under_attack", "compression", "flops"]].isna().all()
    assert pending[["failure_kind", "quality", "seconds_distil"]].isna().all()
    assert table["parameters"].notna().all()  # counted where nothing was built


def test_a_record_without_an_attack_has_no_robustness() -> None:
    import random

    genotype = make_genotype(random.Random(1))
    measured = replace(make_measurements(genotype), robustness=None)
    row = records_table([make_record(1, genotype, measured)]).iloc[0]
    assert row[["attack", "under_attack", "words_to_break"]].isna().all()
    assert row["quality"] == 0.8


def test_each_attack_alone_has_columns_after_those_of_the_worst_case(search_records: Search) -> None:
    record = search_records(1)[0]
    assert record.measurements is not None and record.measurements.robustness is not None
    worst = record.measurements.robustness
    stopped = replace(worst, attack="pwws-oewn", stopped=Stopped(100, 400, 0.2, 0.05), out_of_queries=3)
    swaps = SingleSwaps("deepwordbug", 100, 900, worst.clean, worst.under_attack, 0.1)
    measured = replace(record.measurements, robustness=stopped, attacks=(worst, stopped), single_swaps=(swaps,))
    table = records_table([replace(record, measurements=measured)])
    row = table.iloc[0]
    assert (row["attack_rows"], row["attack_rows_planned"], row["out_of_queries"]) == (100, 400, 3)
    assert row["under_attack_deepwordbug"] == row["under_attack_pwws-oewn"] == worst.under_attack.value
    assert row["words_to_break_pwws-oewn"] == worst.words_to_break.value
    assert row["single_swap_worst_deepwordbug"] == worst.clean.value
    assert list(table.columns[len(COLUMNS) :]) == [
        "single_swap_margin_deepwordbug", "single_swap_worst_deepwordbug", "under_attack_deepwordbug",
        "under_attack_pwws-oewn", "words_to_break_deepwordbug", "words_to_break_pwws-oewn", "latency_ms_1",
        "latency_ms_32", "seconds_distil",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 6])
def test_columns_and_types_are_the_same_for_every_run(search_records: Search, count: int) -> None:
    table = records_table(search_records(count)[:count])
    assert list(table.columns[: len(COLUMNS)]) == list(COLUMNS)
    assert {name: str(table[name].dtype) for name in COLUMNS} == COLUMNS


def test_fitness_and_gates_are_those_of_the_score(search_records: Search) -> None:
    records = search_records(4)
    judge = Yardstick(FitnessConfig(min_quality=0.9), 0.9).score
    table = records_table(records, judge)
    assert table["fitness"].notna().tolist() == [True] * 4 + [False, False, True, True]
    for record, (_, row) in zip(records, table.iterrows()):
        if record.measurements is not None:
            fitness = judge(record.measurements)
            assert row["fitness"] == fitness.scalar
            assert row["fitness_robustness"] == fitness.robustness
            assert row["gates"] == " ".join(fitness.gates)
    assert "min_quality" in set(table["gates"].dropna())


def test_written_tables_read_back_as_they_were(search_records: Search, tmp_path: Path) -> None:
    candidates = records_table(search_records(8))
    statistics = feature_statistics(candidates)
    written = write_tables(tmp_path / "tables", candidates, statistics)
    assert [path.name for path in written] == [
        "candidates.csv", "candidates.parquet", "statistics.csv", "statistics.parquet",
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == [path.name for path in written]
    for csv, parquet, table in ((*written[:2], candidates), (*written[2:], statistics)):
        pd.testing.assert_frame_equal(pd.read_parquet(parquet), table)
        read = pd.read_csv(csv)
        assert list(read.columns) == list(table.columns)
        assert len(read) == len(table)


def test_empty_tables_can_be_written(tmp_path: Path) -> None:
    candidates = records_table([])
    write_tables(tmp_path, candidates, feature_statistics(candidates))
    assert list(pd.read_parquet(tmp_path / "candidates.parquet").columns) == list(COLUMNS)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write(half: Path) -> None:
        half.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_file(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        path = replace_file(tmp_path / "table.csv", lambda half: half.write_text("a"))
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o640


def test_no_part_of_a_report_loads_torch_or_what_draws_on_a_terminal() -> None:
    code = (
        "import importlib, pkgutil, sys, rosearch.report\n"
        "for module in pkgutil.walk_packages(rosearch.report.__path__, 'rosearch.report.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(sorted({'torch', 'transformers', 'textattack', 'matplotlib', 'rich', 'typer'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
