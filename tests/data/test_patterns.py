from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from rosearch.data.files import read_file
from rosearch.data.patterns import archive_of, find_files, is_pattern
from rosearch.errors import BadInput

LANGUAGES = ("deu_Latn", "eng_Latn", "zho_Hans")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for each language, and a stray file."""
    for language in LANGUAGES:
        (tmp_path / "data" / language).mkdir(parents=True)
        for split in ("train", "test"):
            content = f"text\tlabel\n{language} {split}\tsports\n"
            (tmp_path / "data" / language / f"{split}.tsv").write_text(content, encoding="utf-8")
    (tmp_path / "data" / "test.tsv").write_text("stray")
    return tmp_path / "data"


@pytest.fixture(params=["folder", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def place(request: pytest.FixtureRequest, folder: Path) -> Path:
    """The same as a folder and as archives; names in archives often begin with ./"""
    if request.param == "folder":
        return folder
    path = folder.parent / f"data.{request.param}"
    mode = request.param.replace("tar", "w").replace(".", ":")
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.add(folder, arcname=".")
    return path


def texts(pattern: Path) -> dict[str, str]:
    return {found.part: read_file(found.path, content=found.content)["text"][0] for found in find_files(pattern)}


def test_what_stands_in_the_gap_names_each_file(place: Path) -> None:
    assert texts(place / "*" / "test.tsv") == {language: f"{language} test" for language in LANGUAGES}
    assert list(texts(place / "*_Latn" / "*.tsv")) == ["deu/test", "deu/train", "eng/test", "eng/train"]


def test_alternatives_keep_their_order(place: Path) -> None:
    assert list(texts(place / "{zho_Hans,eng_Latn}" / "test.tsv")) == ["zho_Hans", "eng_Latn"]


def test_every_alternative_that_is_not_there_is_named(place: Path) -> None:
    with pytest.raises(BadInput) as caught:
        find_files(place / "{eng_Latn,nowhere,swh_Latn}" / "test.tsv")
    expected = [f"{place}/{one}/test.tsv" for one in ("nowhere", "swh_Latn")]
    assert [problem.where for problem in caught.value.problems] == expected


def test_a_path_may_lead_into_an_archive(place: Path) -> None:
    path = place / "eng_Latn" / "train.tsv"
    assert (archive_of(path) == place) == (place.name != "data")
    assert list(read_file(path)["text"]) == ["eng_Latn train"]
    with pytest.raises(BadInput, match="no such file"):
        read_file(place / "eng_Latn" / "dev.tsv")


def test_a_damaged_archive_is_one_clear_line(folder: Path) -> None:
    path = folder.parent / "data.tar.gz"
    path.write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(BadInput, match=r"data\.tar\.gz: expected a readable tar archive"):
        read_file(path / "eng_Latn" / "train.tsv")


def test_signs_of_patterns_in_the_name_of_a_file_or_a_folder_are_letters(folder: Path) -> None:
    odd = folder.parent / "a [1]?"
    folder.rename(odd)
    assert list(texts(odd / "*" / "test.tsv")) == list(LANGUAGES)
    (odd / "{x,y}.tsv").write_text("text\n*\n")
    assert not is_pattern(odd / "{x,y}.tsv") and is_pattern(odd / "{x,z}.tsv")
