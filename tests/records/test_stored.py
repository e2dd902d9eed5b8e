from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from records import sample_records as samples

from rosearch.records.rows import STATES, sealed
from rosearch.records.store import Store
from rosearch.records.stored import Columns, StoredRecords

COUNT = 12


@pytest.fixture
def stored(tmp_path: Path) -> StoredRecords:
    with Store.create(tmp_path / "records.sqlite") as store:
        store.propose(samples.generation_of(0, COUNT))
        for number in range(1, 9):
            store.finish(number, samples.measured(number / 100) if number % 3 else samples.FAILED, judged=f"[{number}]")
        return store.stored()


def test_columns_are_those_of_the_records_one_by_one(stored: StoredRecords) -> None:
    assert Columns.of(stored) is stored.columns
    assert list(map(list, Columns.of(list(stored)))) == list(map(list, stored.columns))
    assert Counter(stored.columns.status) == {"done": 6, "failed": 2, "pending": 4}
    assert stored.columns.judged[:2] == ("[1]", "[2]")


def test_a_record_is_made_once(stored: StoredRecords) -> None:
    assert stored[3] is stored[3] is stored[2:5][1] is list(stored)[3] is stored[3 - COUNT]
    assert len(stored) == COUNT and stored == list(stored) != list(stored)[1:]
    with pytest.raises(IndexError):
        stored[COUNT]


def test_no_records_are_no_columns(tmp_path: Path) -> None:
    with Store.create(tmp_path / "records.sqlite") as store:
        assert (list(store.stored()), store.stored().columns.number) == ([], ())


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("number", 0, "whole numbers from 1 on"),
        ("generation", True, "whole numbers"),
        ("replicate", -1, "whole numbers from 0 on"),
        ("role", "winner", "candidate"),
        ("status", "lost", "pending"),
        ("genotype_id", "x" * 16, "16 hex digits"),
        ("name", None, "texts"),
        ("fitness", 3, "texts"),
        ("seconds", "{}, {}", "a number for each stage"),
        ("seconds", '{"build": true}', "a number for each stage|times"),
        ("seconds", '{"build": -1}', "times from 0 on"),
        ("seconds", '{"build": 1e999}', "times from 0 on"),
    ],
)
def test_values_of_other_types_or_ranges_are_refused(column: str, value: object, words: str) -> None:
    names = {"number": 1, "role": "candidate", "generation": 0, "replicate": 0, "genotype_id": "0" * 16, "name": ""}
    row = names | {"status": "done", "seconds": '{"build": 1.5}', "fitness": ""}
    assert Columns.read([tuple(sealed(STATES, row).values())]).seconds == [{"build": 1.5}]
    with pytest.raises(ValueError, match=words):
        Columns.read([tuple(sealed(STATES, row | {column: value}).values())])
