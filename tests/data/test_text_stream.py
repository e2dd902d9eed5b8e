from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosearch.data import text_stream
from rosearch.data.text_stream import bounded_lines, checked_text
from rosearch.errors import BadInput


class InPieces(io.RawIOBase):
    """Reads of the given sizes, in turn, so that characters are cut anywhere."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._inner, self._sizes, self._turn = io.BytesIO(content), sizes, 0

    def read(self, size: int = -1) -> bytes:
        self._turn += 1
        return self._inner.read(self._sizes[self._turn % len(self._sizes)])


sizes = st.lists(st.integers(1, 5), min_size=1, max_size=5)
texts = st.text(st.characters(exclude_characters="\0\r\ufeff", exclude_categories=["Cs"]), max_size=60)


@given(text=texts, sizes=sizes)
def test_text_is_what_was_written_however_the_bytes_arrive(text: str, sizes: list[int]) -> None:
    assert checked_text(InPieces(text.encode(), sizes), "x", "").read() == text


@given(before=texts, sizes=sizes, bad=st.sampled_from([b"\xff", b"\xc3(", b"\xe2\x82(", b"\0", b"\xf0\x9f\x98"]))
def test_the_first_bad_byte_is_named_with_its_line(before: str, sizes: list[int], bad: bytes) -> None:
    start = before.encode()
    after = b"" if bad == b"\xf0\x9f\x98" else b"\nmore \xff"  # a character that the end of the file cuts
    with pytest.raises(BadInput) as caught:
        checked_text(InPieces(start + bad + after, sizes), "notes.txt", "").read()
    (problem,) = caught.value.problems
    assert (problem.where, problem.key) == ("notes.txt", f"byte {len(start)}, line {before.count(chr(10)) + 1}")
    assert problem.expected == "UTF-8" and "iconv" in problem.fix


def test_utf_16_is_refused_with_and_without_its_mark() -> None:
    for encoding, found in (("utf-16", "0xff.*iconv -f UTF-16 "), ("utf-16-le", "NUL.*iconv -f UTF-16LE ")):
        with pytest.raises(BadInput, match=found):
            checked_text(io.BytesIO("good film".encode(encoding)), "x", None).read()


def test_what_a_western_spreadsheet_writes_is_told_with_its_likely_encoding() -> None:
    with pytest.raises(BadInput, match=r"line 2: expected UTF-8, got 0xe9 .*iconv -f WINDOWS-1252 -t UTF-8"):
        checked_text(io.BytesIO("text\ncafé".encode("cp1252")), "x", None).read()


def test_a_byte_order_mark_is_no_text() -> None:
    assert checked_text(io.BytesIO("\ufeffgood".encode()), "x", None).read() == "good"


def test_a_line_without_an_end_is_refused_before_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_stream, "LONGEST_ROW", 10)
    assert list(bounded_lines(io.StringIO("a\nb" * 3), "x")) == ["a\n", "ba\n", "ba\n", "b"]
    with pytest.raises(BadInput, match="x: line 2: expected a row of fewer characters, got 10 without an end"):
        list(bounded_lines(io.StringIO("a\n" + "b" * 30), "x"))
