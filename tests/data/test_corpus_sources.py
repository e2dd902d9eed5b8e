from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rosearch.config.corpus import CorpusConfig
from rosearch.data import hub
from rosearch.data.corpus_sources import Source, find_sources
from rosearch.errors import BadInput, MissingResource


def only(**source: Any) -> Source:
    (found,) = find_sources(CorpusConfig.model_validate({"sources": [source]}))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.txt", "deep/c.txt", ".hidden/d.txt", ".e.txt", "notes.pdf"):
        path = tmp_path / "text" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.stem)
    return tmp_path / "text"


def test_a_folder_is_all_known_files_below_it_by_name(folder: Path) -> None:
    assert list(only(path=str(folder)).paragraphs()) == ["a", "", "b", "", "c", ""]


@pytest.mark.parametrize(
    ("pattern", "expected"), [("*.txt", ["a", "b", ".e"]), ("**/*.txt", None), ("b.txt", ["b"]), ("d*/*", ["c"])]
)
def test_a_pattern_is_the_files_that_it_matches(pattern: str, expected: list[str] | None, folder: Path) -> None:
    found = [text for text in only(path=str(folder / pattern)).paragraphs() if text]
    assert sorted(found) == sorted(expected or [".e", "a", "b", "c", "d"])


@pytest.mark.parametrize("pattern", ["none.txt", "*.csv", "deep/", "a**"])
def test_a_path_without_text_files_is_one_clear_line(pattern: str, folder: Path) -> None:
    (folder / "deep" / "c.txt").unlink()
    with pytest.raises(BadInput, match=r"experiment: corpus\.sources\.0\.path: expected a .*pattern") as caught:
        only(path=str(folder / pattern))
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_a_file_of_a_format_that_is_not_read_is_one_clear_line(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"path: expected files of \.txt, .*\.zst, got notes\.pdf"):
        only(path=str(folder / "notes.pdf"))


def test_no_more_documents_are_read_than_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n\none\nmore\n\n\ntwo\n\nthree\n")
    source = only(path=str(tmp_path / "a.txt"), documents=2)
    assert [text for text in source.paragraphs() if text] == ["one", "more", "two"]
    assert source.fingerprint != only(path=str(tmp_path / "a.txt")).fingerprint


def test_files_without_any_text_are_a_problem_before_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n \n")
    (tmp_path / "b.txt").write_text("")
    (problem,) = only(path=str(tmp_path / "*.txt")).problems()
    assert str(problem).endswith("*.txt: expected text, got none")
    (tmp_path / "b.txt").write_text("\n\none\n")
    assert only(path=str(tmp_path / "*.txt")).problems() == []


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset as the hub holds them, and a cache of its own."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "dataset").mkdir()
    texts = ["one\n\nmore", None, "two", "", "three"]
    rows = datasets.Dataset.from_dict({"id": list(range(5)), "body": texts})
    rows.to_parquet(tmp_path / "dataset" / "train-00000-of-00001.parquet")
    return tmp_path / "dataset"


def test_rows_of_a_hub_dataset_are_documents_and_nothing_is_downloaded_first(dataset: Path, tmp_path: Path) -> None:
    source = only(hub=str(dataset), column="body")
    seen = []
    for paragraph in source.paragraphs():
        seen.append(paragraph)
        done, total = source.progress
        assert done < total
    assert seen == ["one", "more", "", "two", "", "", "three", ""]
    assert source.progress == (4, 4)
    assert not list((tmp_path / "cache").rglob("*.arrow"))
    capped = only(hub=str(dataset), column="body", documents=2)
    assert [text for text in capped.paragraphs() if text] == ["one", "more", "two"]


@pytest.mark.parametrize(
    ("column", "expected"),
    [("text", r"train: expected a column 'text', got only 'id', 'body'"), ("id", "expected text, got int in row 1")],
)
def test_a_column_without_text_is_one_clear_line(column: str, expected: str, dataset: Path) -> None:
    with pytest.raises(BadInput, match=expected):
        list(only(hub=str(dataset), column=column).paragraphs())


def test_a_hub_dataset_out_of_reach_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "hub_reachable", lambda: False)
    with pytest.raises(MissingResource, match=r"dataset wikimedia/wikipedia .*not in the local cache") as caught:
        list(only(hub="wikimedia/wikipedia", config="20231101.en").paragraphs())
    assert "corpus.sources" in str(caught.value) and "\n" not in str(caught.value)


def test_hub_sources_are_told_apart_by_all_their_names() -> None:
    kinds = [{"hub": "a"}, {"hub": "b"}, {"hub": "a", "config": "c"}, {"hub": "a", "revision": "c"}]
    kinds += [{"hub": "a", "split": "test"}, {"hub": "a", "column": "c"}, {"hub": "a", "documents": 5}]
    assert len({only(**kind).fingerprint for kind in kinds}) == len(kinds)
