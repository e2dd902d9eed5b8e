from __future__ import annotations

from dataclasses import replace

import pytest
from records import sample_records as samples

from rosearch.records.record import LATER, Record


def known(record: Record, asked: list[str]) -> Record:
    """The record, of which the fields of `LATER` are read where they are asked for."""
    fields = {name: value for name, value in vars(record).items() if name not in LATER}

    def read(one: Record, name: str) -> dict[str, object]:
        asked.append(name)
        return {name: getattr(record, name)}

    return Record.known(fields, read)


def test_a_record_that_is_read_bit_by_bit_equals_the_one_that_was_made() -> None:
    made, asked = samples.pending(3), []  # type: ignore[var-annotated]
    found = known(made, asked)
    assert (found.number, found.status) == (3, "pending") and asked == []
    assert found == made and replace(found, number=4) == replace(made, number=4)
    assert sorted(asked) == sorted(LATER)


def test_a_name_that_no_record_has_is_an_error() -> None:
    for record in (samples.pending(1), known(samples.pending(1), [])):
        with pytest.raises(AttributeError, match="'Record' object has no attribute 'genotpye'"):
            _ = record.genotpye  # type: ignore[attr-defined]


def test_a_record_that_nobody_can_read_again_forgets_nothing() -> None:
    made = samples.pending(1)
    assert made.bare() is made
