from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from rosearch.errors import BadInput
from rosearch.resources.word_lists import is_withheld, read_antonyms, read_homoglyphs, read_neighbours

LISTS = {"movie": ["film", "films", "cinema"], "the": []}


@pytest.mark.parametrize("name", ["lists.json", "lists.json.xz"])
def test_plain_and_compressed_lists_read_alike(tmp_path: Path, name: str) -> None:
    content = json.dumps(LISTS).encode()
    (tmp_path / name).write_bytes(lzma.compress(content) if name.endswith("xz") else content)
    neighbours = read_neighbours(tmp_path / name)
    assert neighbours.of("movie") == ["film", "films", "cinema"]
    assert len(neighbours) == 2


def test_the_nearest_come_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    (tmp_path / "l.json").write_text(json.dumps(LISTS))
    neighbours = read_neighbours(tmp_path / "l.json")
    assert neighbours.of("movie", 2) == ["film", "films"]
    assert neighbours.of("movie", 0) == []
    assert neighbours.of("movie", 99) == LISTS["movie"]


def test_a_word_that_is_not_listed_has_none(tmp_path: Path) -> None:
    (tmp_path / "l.json").write_text(json.dumps(LISTS))
    neighbours = read_neighbours(tmp_path / "l.json")
    assert (neighbours.of("Movie"), neighbours.of("the")) == ([], [])
    assert "the" in neighbours
    assert "Movie" not in neighbours


def test_what_a_caller_does_to_a_list_changes_no_later_answer(tmp_path: Path) -> None:
    (tmp_path / "l.json").write_text(json.dumps(LISTS))
    neighbours = read_neighbours(tmp_path / "l.json")
    neighbours.of("movie").clear()
    assert neighbours.of("movie") == LISTS["movie"]


@pytest.mark.parametrize("content", [b"[]", b'{"movie": "film"}', b'{"movie": [1]}', b"{", b"\xff"])
def test_a_file_that_holds_no_lists_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "l.json").write_bytes(content)
    with pytest.raises(BadInput, match="expected a JSON object of word: list of words"):
        read_neighbours(tmp_path / "l.json")


def test_an_archive_that_is_cut_off_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "l.json.xz").write_bytes(lzma.compress(json.dumps(LISTS).encode())[:-20])
    with pytest.raises(BadInput, match="Put a whole copy of the file there"):
        read_neighbours(tmp_path / "l.json.xz")


def test_opposites_count_both_ways_round_and_over_all_lists(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("good bad\n\ngood evil \n")
    two.write_text("bad good\nhot cold\n")
    found = read_antonyms([one, two])
    assert found == {"good": {"bad", "evil"}, "bad": {"good"}, "evil": {"good"}, "hot": {"cold"}, "cold": {"hot"}}
    two.write_text("hot cold warm\n")
    with pytest.raises(BadInput, match=r"two\.txt.*expected lines of two words.*hot cold warm"):
        read_antonyms([one, two])


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


def test_a_defence_and_the_attacks_that_it_has_not_seen_share_no_pair_and_miss_none(tmp_path: Path) -> None:
    lists = {word: [other for other in "abcdefghij" if other != word] for word in "abcdefghij"}
    (tmp_path / "l.json").write_text(json.dumps(lists))
    whole = read_neighbours(tmp_path / "l.json")
    known, withheld = whole.half(withheld=False), whole.half(withheld=True)
    for word, others in lists.items():
        assert sorted([*known.of(word), *withheld.of(word)]) == others
        for other in withheld.of(word):
            assert word in withheld.of(other) and is_withheld(other, word.upper())  # either way round, in any case
    assert 0.3 < sum(len(withheld.of(word)) for word in lists) / 90 < 0.7
