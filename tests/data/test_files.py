from __future__ import annotations

import bz2
import gzip
import lzma
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rosearch.data.files import read_file
from rosearch.errors import BadInput

ROWS = [("It 's \"good", "1"), ("none, NA and null", "0"), ("Füße ☃", "1")]
TEXT = {
    "tsv": "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS),
    "csv": 'label,text\n1,"It \'s ""good"\n0,"none, NA and null"\n1,Füße ☃\n',
    "jsonl": '{"text": "It \'s \\"good", "label": 1}\n\n{"text": "none, NA and null", "label": 0}\n'
    '{"text": "Füße ☃", "label": 1}\n',
}
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


CUT = [("1", "good; but, long"), ("0", "no\ttab, none")]  # each text holds every separator's neighbour


def problem_of(path: Path, columns: list[str] | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        read_file(path, columns)
    assert len(caught.value.problems) == 1
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", TEXT)
def test_every_text_format_and_compression_gives_the_same_rows(form: str, compression: str, tmp_path: Path) -> None:
    path = tmp_path / f"train.{form}{compression}"
    path.write_bytes(COMPRESSIONS[compression](TEXT[form].encode()))
    frame = read_file(path)
    assert list(frame["text"]) == [text for text, _ in ROWS]
    assert [str(label) for label in frame["label"]] == [label for _, label in ROWS]


def test_parquet_is_read(tmp_path: Path) -> None:
    pd.DataFrame(ROWS, columns=["text", "label"]).to_parquet(tmp_path / "train.parquet")
    assert list(read_file(tmp_path / "train.parquet")["text"]) == [text for text, _ in ROWS]


def test_a_csv_cell_may_hold_line_breaks_and_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(b'\xef\xbb\xbftext,label\r\n"two\r\nlines",1\r\n')
    frame = read_file(path)
    assert list(frame.columns) == ["text", "label"]
    assert list(frame["text"]) == ["two\r\nlines"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_csv_is_cut_where_its_header_is(separator: str, compression: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.csv{compression}"
    lines = [separator.join(("label", "text")), *(separator.join((label, f'"{text}"')) for label, text in CUT)]
    path.write_bytes(COMPRESSIONS[compression]("\n".join(lines).encode()))
    content = None if compression else path.read_bytes()
    assert [tuple(row) for row in read_file(path).to_numpy()] == CUT
    assert [tuple(row) for row in read_file(path, content=content).to_numpy()] == CUT


@pytest.mark.parametrize(
    ("header", "columns"),
    [("text", ["text"]), ("a;b,c", ["a;b", "c"]), ('"text; of one column"', ["text; of one column"])],
)
def test_a_header_that_may_mean_a_comma_means_one(header: str, columns: list[str], tmp_path: Path) -> None:
    (path := tmp_path / "rows.csv").write_text(f"{header}\n{','.join('x' * len(columns))}\n", encoding="utf-8")
    assert list(read_file(path).columns) == columns


def test_a_file_without_a_header_takes_the_names_given(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text("gj04\t1\tfirst row\ngj04\t0\tsecond row\n")
    frame = read_file(path, ["source", "label", "text"])
    assert list(frame["text"]) == ["first row", "second row"]
    assert list(frame["label"]) == ["1", "0"]


def test_a_missing_file_is_answered_with_what_the_folder_holds(tmp_path: Path) -> None:
    (tmp_path / "dev.tsv").touch()
    assert "no such file; the folder holds dev.tsv" in problem_of(tmp_path / "train.tsv")


def test_a_file_of_no_known_format_is_answered_with_the_formats(tmp_path: Path) -> None:
    (tmp_path / "train.xlsx").touch()
    (tmp_path / "train.parquet.gz").touch()
    assert ".tsv, .csv, .jsonl, .parquet" in problem_of(tmp_path / "train.xlsx")
    assert ".tsv, .csv, .jsonl, .parquet" in problem_of(tmp_path / "train.parquet.gz")


DAMAGED = {
    "bytes.tsv": b"text\tlabel\n\xff\xfe\t1\n",
    "long_row.tsv": b"text\tlabel\na\t1\textra\n",
    "long_rows.csv": b"text,label\na,1,extra\nb,1,extra\n",
    "one_long_row.tsv": b"text\tlabel\na\t1\nb\t1\textra\n",
    "torn.csv": b'text,label\n"never closed,1\n',
    "torn.jsonl": b'{"text": "a", "label": 1}\n{"text": "b"',
    "list.jsonl": b"[1, 2]\n",
    "torn.parquet": b"PAR1 and no more",
    "plain.tsv.xz": b"text\tlabel\na\t1\n",
    "torn.tsv.gz": gzip.compress(b"text\tlabel\na\t1\n", mtime=0)[:-9],
    "changed.tsv.gz": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\xff" * 40,
    "deep.jsonl": b"[" * 100_000,
    "half_a_pair.jsonl": b'{"text": "x\\ud83d", "label": 1}\n',
    "half_a_pair_in_a_name.jsonl": b'{"te\\udc00xt": "x", "label": 1}\n',
    "one_name_twice.jsonl": b'{"text": "x", "text": "y", "label": 1}\n',
    "name_in_latin_1.csv": b"text,caf\xe9\nx,1\n",
    "torn.tsv.xz": lzma.compress(b"text\tlabel\na\t1\n")[:-9],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_one_clear_problem(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(DAMAGED[name])
    assert re.search(r"expected (a readable \.|UTF-8)", problem_of(tmp_path / name))


def test_a_row_longer_than_the_names_given_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("a\tb\tc\n")
    assert "readable" in problem_of(tmp_path / "train.tsv", ["text", "label"])


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    for name in ("train.tsv", "train.csv", "train.jsonl"):
        (tmp_path / name).touch()
        assert read_file(tmp_path / name).empty


def test_a_folder_by_the_name_of_a_file_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").mkdir()
    assert "no such file" in problem_of(tmp_path / "train.tsv")


def test_a_column_of_parquet_that_is_no_utf8_and_two_of_one_name_are_one_clear_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([["x"], ["1"]], names=["text", "text"]), path)
    assert "2 columns 'text'" in problem_of(path)
    pq.write_table(pa.table([["x"], ["1"]], names=["text", "qqqq"]), path)
    path.write_bytes(path.read_bytes().replace(b"qqqq", b"q\xff\xfeq"))
    assert "'utf-8' codec" in problem_of(path)


@pytest.mark.parametrize("form", ["tsv", "csv"])
def test_two_columns_of_one_name_keep_it(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{form}"
    path.write_text("\n".join(["text", "label", "text"]).replace("\n", "," if form == "csv" else "\t") + "\n")
    assert list(read_file(path).columns) == ["text", "label", "text"]


QUOTED = {
    "doubled quotes": pd.DataFrame({"text": ['he said "no"', "plain"], "label": [0, 1]}),
    "a line break": pd.DataFrame({"text": ["two\nlines", "plain"], "label": [0, 1]}),
    "a tab": pd.DataFrame({"text": ['a\tb and "c"', "plain"], "label": [0, 1]}),
}


@pytest.mark.parametrize("case", QUOTED)
def test_a_tsv_written_with_quoted_cells_is_told(case: str, tmp_path: Path) -> None:
    QUOTED[case].to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    told = problem_of(tmp_path / "a.tsv")
    assert "The cells look quoted: save it as .csv or .jsonl" in told


def test_a_tsv_of_a_spreadsheet_with_commas_and_a_tsv_with_a_quoted_header_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('text\tlabel\n"good, then"\t1\nplain\t0\n"bad, now"\t0\n')
    assert "The cells look quoted" in problem_of(tmp_path / "a.tsv")
    (tmp_path / "a.tsv").write_text('"text"\t"label"\n"good"\t"1"\n')
    assert "The cells look quoted" in problem_of(tmp_path / "a.tsv")


@pytest.mark.parametrize(
    "lines",
    [
        ['"No!" she said\t1', '"Good"\t0'],
        ['"Good"\t0', '"Fine, then"\t1', "well, well\t1"],
        ['an " inch\t1', '"a ""b"" c"\t0'],
    ],
)
def test_quotes_that_belong_to_the_text_of_a_tsv_are_read_as_they_stand(lines: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n")
    assert list(read_file(tmp_path / "a.tsv")["text"]) == [line.split("\t")[0] for line in lines]
