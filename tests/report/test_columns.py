from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from rosearch.measurements import SingleSwaps
from rosearch.records.record import Record
from rosearch.report.columns import COMPARISONS, MOTIFS, OCCURRING, RECORDS, REGRESSIONS, STATISTICS, Described, dtypes
from rosearch.report.features import FEATURES
from rosearch.report.tables import records_table

TABLES = {"records": RECORDS, "occurring": OCCURRING, "statistics": STATISTICS, "comparisons": COMPARISONS}
TABLES |= {"motifs": MOTIFS, "regressions": REGRESSIONS}


@pytest.mark.parametrize("columns", TABLES.values(), ids=TABLES)
def test_every_column_has_a_meaning_and_a_number_of_texts_has_no_unit(columns: dict[str, Described]) -> None:
    assert [name for name, column in columns.items() if not column.meaning] == []
    assert [name for name, column in columns.items() if column.unit and column.dtype == "string"] == []


def test_the_ends_of_an_interval_have_the_unit_of_its_value() -> None:
    ends = [name for columns in TABLES.values() for name in columns if name.endswith(("_low", "_high"))]
    assert len(ends) > 20
    for columns in TABLES.values():
        for name, column in columns.items():
            if name.endswith(("_low", "_high")):
                assert column.unit == columns[name.rpartition("_")[0]].unit


def test_the_features_are_described_as_the_statistics_describe_them() -> None:
    assert {name: RECORDS[name].meaning for name in FEATURES} == FEATURES


def test_every_column_of_a_table_is_described(search_records: Callable[[int], Sequence[Record]]) -> None:
    record = search_records(1)[0]
    measured = record.measurements
    assert measured is not None and measured.robustness is not None
    estimate = measured.robustness.under_attack
    swaps = SingleSwaps("pruthi", 4, 9, estimate, estimate, 1.0)
    whole = replace(record, measurements=replace(measured, attacks=(measured.robustness,), single_swaps=(swaps,)))
    more = [name for name in records_table([whole]).columns if name not in RECORDS]
    patterns = [re.sub("ATTACK|BATCH|STAGE", ".+", name) for name in OCCURRING]
    assert all(any(re.fullmatch(pattern, name) for name in more) for pattern in patterns)
    assert [name for name in more if not any(re.fullmatch(pattern, name) for pattern in patterns)] == []


def test_types_are_those_that_pandas_takes() -> None:
    assert dtypes(STATISTICS)["n"] == "Int64" and dtypes(COMPARISONS)["separated"] == "boolean"
