from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from rosearch.data.quoting import Quoting, look_quoted

_CELLS = st.text(st.sampled_from('ab ,"'), min_size=1, max_size=8)


def cell_of(rows: list[list[str]]) -> str:
    quoting = Quoting()
    for row in rows:
        quoting.see(row)
    return quoting.cell


@given(st.lists(_CELLS, min_size=1, max_size=6))
def test_a_table_that_a_csv_writer_made_is_told_where_it_doubled_a_quote(texts: list[str]) -> None:
    written = io.StringIO()
    csv.writer(written, delimiter="\t", lineterminator="\n").writerows(
        [["text", "label"], *([text, 0] for text in texts)]
    )
    rows = [line.split("\t") for line in written.getvalue().splitlines()]
    assert bool(cell_of(rows)) == any('"' in text for text in texts)


def test_one_cell_whose_quotes_are_its_own_speaks_for_all() -> None:
    rows = [["text"], ['"a ""b"""'], ['he said "no"']]
    assert cell_of(rows[:2]) and not cell_of(rows)


def test_names_wrapped_in_quotes_are_told() -> None:
    assert "look quoted" in look_quoted(['"text"', "label"])
    assert not look_quoted(["text", '"'])
