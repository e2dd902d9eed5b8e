from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosearch.data import text_files
from rosearch.data.text_files import TextFile, is_text, plain_paragraphs
from rosearch.errors import BadInput

PLAIN = "First paragraph.\r\n  Second one. \n\n \nÜber Füße ☃\n"
PARAGRAPHS = ["First paragraph.", "Second one.", "", "", "Über Füße ☃", ""]
ROWS = ['It \'s "good"', "two\n\nparagraphs", "Füße ☃"]
DOCUMENTS = ['It \'s "good"', "", "two", "paragraphs", "", "Füße ☃", ""]
TABLES = {
    "csv": 'label,text\n1,"It \'s ""good"""\n0,"two\n\nparagraphs"\n\n1,Füße ☃\n',
    "jsonl": "\n".join(json.dumps({"text": row, "label": 1}) for row in [*ROWS[:2], None, ROWS[2]]) + "\n",
}


def zstd_file(path: Path, content: bytes) -> None:
    with pa.output_stream(str(path), compression="zstd") as stream:
        stream.write(content)


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def save(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, column: str = "text", members: str = "*") -> list[str]:
    return list(TextFile(path, column, members).paragraphs())


def problem_of(path: Path, column: str = "text", members: str = "*") -> str:
    with pytest.raises(BadInput) as caught:
        read(path, column, members)
    (problem,) = caught.value.problems
    assert "\n" not in str(problem)
    return str(problem)


@pytest.mark.parametrize("compression", [*COMPRESSIONS, ".zst"])
def test_lines_are_paragraphs_and_blank_lines_end_documents(compression: str, tmp_path: Path) -> None:
    path = tmp_path / f"notes.en.txt{compression}"
    if compression == ".zst":
        zstd_file(path, PLAIN.encode())
    else:
        save(path, COMPRESSIONS[compression](PLAIN.encode()))
    file = TextFile(path)
    assert file.position == 0
    assert list(file.paragraphs()) == PARAGRAPHS
    assert file.position == file.size == path.stat().st_size


@pytest.mark.parametrize("compression", [*COMPRESSIONS])
@pytest.mark.parametrize("kind", TABLES)
def test_rows_of_tables_are_documents(kind: str, compression: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"rows.{kind}{compression}", COMPRESSIONS[compression](TABLES[kind].encode()))
    assert read(path) == DOCUMENTS


def test_tsv_cells_are_taken_as_they_stand(tmp_path: Path) -> None:
    path = save(tmp_path / "rows.tsv", 'text\tlabel\nsay "good\t1\n"quoted"\t0\n')
    assert read(path) == ['say "good', "", '"quoted"', ""]


def test_parquet_is_read_by_its_column(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"id": range(4), "body": [*ROWS[:2], None, ROWS[2]]}).to_parquet(path)
    assert read(path, "body") == DOCUMENTS
    assert "a column 'text', got only 'id', 'body'" in problem_of(path)


@pytest.mark.parametrize("compression", [*COMPRESSIONS])
def test_members_of_an_archive_are_chosen_by_a_pattern(compression: str, tmp_path: Path) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in (
            ("de/train.tsv", "id\ttext\n1\tFüße\n"),
            ("en/train.tsv", "id\ttext\n1\tfeet\n"),
            ("en/notes.txt", "a\n\nb"),
            ("en/picture.png", "\0"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    path = save(tmp_path / f"all.tar{compression}", COMPRESSIONS[compression](content.getvalue()))
    assert read(path) == ["Füße", "", "feet", "", "a", "", "b", ""]
    assert read(path, members="*/train.tsv") == ["Füße", "", "feet", ""]
    assert f"{path}, de/train.tsv: expected a column 'body'" in problem_of(path, "body", "de/*")
    assert "named fr/*, got none in the archive. name others in members" in problem_of(path, members="fr/*")


@given(st.lists(st.text(st.sampled_from("ab \u00e9"), max_size=30), max_size=8))
def test_long_lines_are_cut_and_nothing_is_lost(lines: list[str]) -> None:
    before = text_files.LONGEST_PARAGRAPH
    text_files.LONGEST_PARAGRAPH = 8
    try:
        found = list(plain_paragraphs(io.StringIO("\n".join(lines))))
    finally:
        text_files.LONGEST_PARAGRAPH = before
    assert max(map(len, found)) <= 8
    assert "".join("".join(found).split()) == "".join("".join(lines).split())
    documents = " ".join(part or "|" for part in found).split("|")
    expected = "\n".join((line.strip() and line) or "|" for line in lines).split("|")
    assert ["".join(part.split()) for part in documents if part.strip()] == [
        "".join(part.split()) for part in expected if part.strip()
    ]


def test_words_are_not_cut_where_there_is_white_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "LONGEST_PARAGRAPH", 24)
    words = [f"word{number}" for number in range(40)]
    found = list(plain_paragraphs(io.StringIO(" ".join(words))))
    assert " ".join(found).split() == words and len(found) > 10


def test_the_byte_and_line_of_another_encoding_are_named(tmp_path: Path) -> None:
    content = b"good\n" * 30_000 + "Füße".encode("latin-1")
    path = save(tmp_path / "old.txt", content)
    assert f"{path}: byte 150001, line 30001: expected UTF-8, got 0xfc" in problem_of(path)
    packed = save(tmp_path / "old.csv.gz", gzip.compress(b"text\n" + content))
    assert "byte 150006, line 30002: expected UTF-8, got 0xfc" in problem_of(packed)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "label,sentence\n1,x\n", "a column 'text', got only 'label', 'sentence'"),
        ("a.tsv", "label\tsentence\n1\tx\n", "a column 'text', got only 'label', 'sentence'"),
        ("a.jsonl", '{"text": "x"}\n{"body": "x"}\n', "line 2: expected a column 'text', got only 'body'"),
        ("a.jsonl", '{"text": 1}\n', "column 'text': expected text, got int in row 1"),
        ("a.jsonl", '{"text": "x"}\n{"text"\n', "line 2: expected a JSON object"),
        ("a.jsonl", '["x"]\n', "line 1: expected a JSON object, got list"),
        ("a.jsonl", '{"text": "x\\ud800"}\n', "line 1: expected a JSON object, got half a surrogate pair"),
        ("a.csv", "text,label\nx,1\ny\n", "line 3: expected 2 cells, as the header has, got 1 cells"),
        ("a.jsonl", '{"text": ' + "[" * 100_000 + "\n", "line 1: expected a JSON object, got nested too deeply"),
        ("a.csv", "text,text\nx,y\n", "expected one column 'text', got 2 of this name"),
        ("a.csv", 'text,label\n"x" y,1\n', "expected a readable .csv file"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(name: str, content: str, expected: str, tmp_path: Path) -> None:
    assert expected in problem_of(save(tmp_path / name, content))


@pytest.mark.parametrize("compression", [".gz", ".bz2", ".xz", ".zst"])
def test_torn_and_foreign_compressed_files_are_one_line(compression: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.txt{compression}"
    save(path, b"no compressed file at all")
    assert f"expected a readable .txt{compression} file" in problem_of(path)
    zstd_file(path, PLAIN.encode() * 999)
    whole = path.read_bytes() if compression == ".zst" else COMPRESSIONS[compression](PLAIN.encode() * 999)
    save(path, whole[:-9])
    assert f"expected a readable .txt{compression} file" in problem_of(path)


def test_cells_longer_than_the_module_csv_allows_are_read(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", "text\n" + "word " * 50_000 + "\n")
    assert sum(map(len, " ".join(read(path)).split())) == 4 * 50_000


def test_the_fingerprint_follows_content_and_reading_and_not_the_name(tmp_path: Path) -> None:
    first, copied = save(tmp_path / "a.csv", "text\nx\n"), save(tmp_path / "b.csv", "text\nx\n")
    other, named = save(tmp_path / "c.csv", "text\ny\n"), save(tmp_path / "a.tsv", "text\nx\n")
    assert TextFile(first).fingerprint == TextFile(copied).fingerprint
    prints = {TextFile(path).fingerprint for path in (first, other, named)} | {TextFile(first, "body").fingerprint}
    assert len(prints) == 4
    before = TextFile(first).fingerprint
    save(first, "text\nlonger\n")
    assert TextFile(first).fingerprint != before


@pytest.mark.parametrize(
    ("name", "known"),
    [("a.txt", True), ("a.b.jsonl.zst", True), ("a.TXT.GZ", True), ("a.parquet", True), ("a.parquet.gz", False),
     ("a.tar.xz", True), ("a.pdf", False), ("txt", False), ("a.gz", False)],
)  # fmt: skip
def test_formats_are_told_by_their_suffixes(name: str, known: bool) -> None:
    assert is_text(Path(name)) is known


QUOTED = {
    "doubled quotes": 'text\nplain\n"he said ""no"""\n',
    "a tab": 'text\tlabel\n"a\tb and ""c"""\t1\nplain\t0\n',
    "a line break": 'text\tlabel\n"two\nlines"\t1\nplain\t0\n',
    "commas": 'text\n"good, then"\nplain\n"bad, now"\n',
    "a header": '"text"\n"good"\n',
    "far behind": "text\n" + "a plain row of some words\n" * 50_000 + '"he said ""no"""\n',
}


@pytest.mark.parametrize("case", QUOTED)
def test_a_tsv_written_with_quoted_cells_is_told(case: str, tmp_path: Path) -> None:
    assert "The cells look quoted" in problem_of(save(tmp_path / "a.tsv", QUOTED[case]))


def test_a_tsv_written_with_quoted_cells_is_told_before_any_text_is_given(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        next(TextFile(save(tmp_path / "a.tsv", QUOTED["doubled quotes"])).paragraphs())


@pytest.mark.parametrize("row", ['he said "no"', '"Yes," he said.', '"one wrapped cell"', '"', 'a "b" "c'])
def test_quotes_that_belong_to_the_text_of_a_tsv_are_read(row: str, tmp_path: Path) -> None:
    assert read(save(tmp_path / "a.tsv", f"text\nplain\n{row}\n")) == ["plain", "", row, ""]
