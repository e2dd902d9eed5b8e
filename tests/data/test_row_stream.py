"""Rows of texts come one at a time, whatever the format; what is broken is told with its line and does not end them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from rosearch.data.columns import Columns
from rosearch.data.row_stream import LONGEST, STREAM, format_of, stream_rows
from rosearch.errors import BadInput


def read(content: bytes, form: str, columns: Columns | None = None, texts: int = 1) -> list[tuple[object, ...]]:
    rows = stream_rows(STREAM, form, columns or Columns(), texts, io.BytesIO(content))
    return [(row.number, *(row.texts or (row.expected, row.got))) for row in rows]


def test_each_line_is_a_text_and_of_pairs_a_tab_parts_two() -> None:
    assert read("\ufeffa fine film\r\nnaïve, 東京\n".encode(), "lines") == [(1, "a fine film"), (2, "naïve, 東京")]
    assert read(b"one\ttwo\nalone\n", "lines", texts=2) == [
        (1, "one", "two"), (2, "2 texts with a tab between them", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_is_read_by_its_header_and_a_row_has_the_number_of_its_first_line(separator: str) -> None:
    lines = ["label,text", '1,"two\nlines"', "0,plain"]
    content = "\n".join(lines).replace(",", separator).encode()
    assert read(content, "csv") == [(2, "two\nlines"), (4, "plain")]


def test_quotes_of_a_tsv_are_a_part_of_its_texts() -> None:
    assert read(b'text\tlabel\n"quoted" here\t1\n', "tsv") == [(2, '"quoted" here')]


def test_columns_are_those_that_are_named_or_the_first_usual_ones() -> None:
    content = b"premise,hypothesis,review\na,b,c\n"
    assert read(content, "csv") == [(2, "a", "b")]
    assert read(content, "csv", Columns("review", "premise")) == [(2, "c", "a")]
    assert read(b'{"review": "c", "premise": "a"}\n', "jsonl", Columns("review")) == [(1, "c")]


@pytest.mark.parametrize(
    ("form", "bad", "expected"),
    [
        ("lines", b"\xff\xfe", "UTF-8 of at most"),
        ("lines", b"", "a text"),
        ("lines", b"a\0b", "UTF-8 of at most"),
        ("lines", b"x" * (LONGEST + 1), "UTF-8 of at most"),
        ("csv", b"a,b", "1 cells, as the header has"),
        ("csv", b'"a"b', "a row of a table"),
        ("csv", b" ", "a text in 'text'"),
        ("tsv", b"\xff", "UTF-8 of at most"),
        ("jsonl", b"{no", "a JSON object"),
        ("jsonl", b"[1]", "a JSON object"),
        ("jsonl", b'{"text": 3}', "a text in 'text'"),
        ("jsonl", b'{"other": "x"}', "a text in 'text'"),
        ("jsonl", b'{"text": "x", "text": "y"}', "a JSON object"),
        ("jsonl", b'{"text": "\xff"}', "UTF-8 of at most"),
    ],
)
def test_a_broken_row_is_told_with_its_line_and_those_around_it_are_read(form: str, bad: bytes, expected: str) -> None:
    good = b'{"text": "good"}' if form == "jsonl" else b"good"
    head = [] if form in ("lines", "jsonl") else [b"text"]
    first, broken, last = read(b"\n".join([*head, good, bad, good]) + b"\n", form)
    start = len(head) + 1
    assert (first, last) == ((start, "good"), (start + 2, "good"))
    assert broken[0] == start + 1 and str(broken[1]).startswith(expected)


def test_a_stream_without_an_end_is_read_as_far_as_it_is_asked_for() -> None:
    class Endless(io.RawIOBase):
        asked = 0

        def readline(self, size: int | None = -1) -> bytes:
            self.asked += 1
            return b"again\n"

    source = Endless()
    rows: Iterator[object] = stream_rows(STREAM, "lines", Columns(), stdin=source)  # type: ignore[arg-type]
    next(rows), next(rows)
    assert source.asked == 2


def test_the_suffix_tells_the_format_and_the_compression(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "packed"}\n'))
    assert format_of(path) == "jsonl" and format_of(path, "lines") == "lines" and format_of(STREAM) == "lines"
    assert [row.texts for row in stream_rows(path, "jsonl", Columns())] == [("packed",)]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadInput, match="expected a readable stream"):
        list(stream_rows(path, "jsonl", Columns()))


@pytest.mark.parametrize(
    ("name", "form", "message"),
    [
        ("absent.csv", None, "expected a file, got no such file"),
        ("", None, "expected a file, got a folder"),
        ("there.parquet", None, "got Parquet. Save it as .jsonl"),
        ("there.parquet", "cvs", "Did you mean csv?"),
    ],
)
def test_what_cannot_be_read_is_told_before_anything_is(
    name: str, form: str | None, message: str, tmp_path: Path
) -> None:
    (tmp_path / "there.parquet").touch()
    with pytest.raises(BadInput) as caught:
        format_of(tmp_path / name, form)
    assert message in str(caught.value)


def test_columns_that_a_stream_has_not_are_told_with_those_that_it_has() -> None:
    with pytest.raises(BadInput, match="a column 'nosuch', got only 'text'"):
        read(b"text\nx\n", "csv", Columns("nosuch"))
    with pytest.raises(BadInput, match=r"a format with columns, got lines. Give --read csv"):
        read(b"x\n", "lines", Columns("text"))
    with pytest.raises(BadInput, match="columns of texts"):
        read(b'{"a": 1}\n', "jsonl")
