from __future__ import annotations

from pathlib import Path

import pytest

from rosearch.errors import BadInput
from rosearch.resources.homoglyphs import read_homoglyphs


def test_unicodes_table_is_read_as_textattack_reads_it(tmp_path: Path) -> None:
    lines = [
        "\ufeff# intentional.txt",
        "",
        "0021 ;\t01C3 #* ( ! ~ \u01c3 ) EXCLAMATION MARK",
        "0061 ;\t0430 # ( a ~ \u0430 ) LATIN SMALL LETTER A",
        "0061 ;\t0251 # ( a ~ \u0251 ) LATIN SMALL LETTER A",
        "0062 ; # (",
    ]
    (tmp_path / "t.txt").write_text("\n".join(lines), encoding="utf-8")
    assert read_homoglyphs(tmp_path / "t.txt") == {"!": ("\u01c3",), "a": ("\u0430", "\u0251")}


def test_a_class_of_look_alikes_belongs_to_its_first_character(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("# made by a script\n-\u02d7\u2010\n;;\n", encoding="utf-8")
    assert read_homoglyphs(tmp_path / "t.txt") == {"-": ("\u02d7", "\u2010"), ";": (";",)}


@pytest.mark.parametrize("content", [b"", b"# only this\n", b"\xff\xfe\xff"])
def test_a_file_without_a_table_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(BadInput, match="expected a table of homoglyphs"):
        read_homoglyphs(tmp_path / "t.txt")
