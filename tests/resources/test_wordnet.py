from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from resources.tiny_wordnet import WORDS, write_oewn, write_wndb

from rosearch.errors import BadInput
from rosearch.resources.reading import Package
from rosearch.resources.wordnet import edition_of, read_oewn, read_wndb


def test_every_word_has_the_synsets_that_nltks_own_reader_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nltk.data
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    folder = write_wndb(tmp_path / "corpora" / "wordnet")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    theirs = WordNetCorpusReader(nltk.data.FileSystemPathPointer(str(folder)), object())
    ours = read_wndb(Package(folder), "WordNet 3.0")
    found = 0
    for word in WORDS:
        expected = [tuple(synset.lemma_names()) for synset in theirs.synsets(word)]
        assert ours.synsets(word) == expected, word
        found += bool(expected)
    assert found > 20
    for opened in theirs._data_file_map.values():
        opened.close()


def test_both_sources_give_the_same_synonyms(tmp_path: Path) -> None:
    princeton = read_wndb(Package(write_wndb(tmp_path / "w")), "WordNet 3.0")
    open_english = read_oewn(write_oewn(tmp_path / "o.json"))
    for word in WORDS:
        assert princeton.synsets(word) == open_english.synsets(word), word
    assert (princeton.edition, open_english.edition) == ("WordNet 3.0", "Open English WordNet")


def test_synonyms_are_sorted_and_hold_the_word_itself_and_phrases(tmp_path: Path) -> None:
    wordnet = read_oewn(write_oewn(tmp_path / "o.json.xz"))
    assert wordnet.synonyms("movies") == ["film", "flick", "motion_picture", "movie"]
    assert wordnet.synonyms("FILM") == [
        "film", "flick", "motion_picture", "movie", "plastic_film", "shoot", "take"
    ]  # fmt: skip
    assert wordnet.synonyms("the") == []


def test_an_irregular_form_is_found_by_its_lemma_and_by_no_rule(tmp_path: Path) -> None:
    wordnet = read_oewn(write_oewn(tmp_path / "o.json"))
    assert wordnet.synsets("mice") == [("mouse", "computer_mouse")]
    assert wordnet.synsets("went") == [("move", "go")]


def test_lemmas_that_differ_in_case_share_their_synsets_in_order(tmp_path: Path) -> None:
    wordnet = read_oewn(write_oewn(tmp_path / "o.json"))
    assert wordnet.synsets("Polish") == [("Polish",), ("polish", "gloss")]


def test_homographs_that_the_open_wordnet_numbers_are_one_word(tmp_path: Path) -> None:
    senses = {"n-1": {"senses": [{"synset": "1-n"}]}, "n-2": {"senses": [{"synset": "2-n"}]}}
    synsets = {"1-n": {"members": ["bow", "arc"]}, "2-n": {"members": ["bow", "prow"]}}
    (tmp_path / "o.json").write_text(json.dumps({"lemmas": {"bow": senses}, "synsets": synsets}))
    assert read_oewn(tmp_path / "o.json").synonyms("bows") == ["arc", "bow", "prow"]


def test_an_archive_as_nltk_distributes_it_is_read_in_place(tmp_path: Path) -> None:
    folder = write_wndb(tmp_path / "wordnet")
    with zipfile.ZipFile(tmp_path / "wordnet.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"wordnet/{path.name}")
    package = Package(tmp_path / "wordnet.zip", "wordnet/")
    assert edition_of(package) == "WordNet 3.0"
    assert read_wndb(package, "WordNet 3.0").synsets("films") == read_wndb(Package(folder), "WordNet 3.0").synsets(
        "films"
    )


def test_a_file_that_is_cut_off_is_one_clear_error(tmp_path: Path) -> None:
    folder = write_wndb(tmp_path / "wordnet")
    content = (folder / "index.noun").read_bytes()
    (folder / "index.noun").write_bytes(content[:-9])
    with pytest.raises(BadInput, match=r"whole lines in index\.noun, got one that is cut off"):
        read_wndb(Package(folder), "WordNet 3.0")


def test_an_offset_that_leads_to_no_synset_is_one_clear_error(tmp_path: Path) -> None:
    folder = write_wndb(tmp_path / "wordnet")
    (folder / "data.noun").write_bytes(b"  a line more\n" + (folder / "data.noun").read_bytes())
    with pytest.raises(BadInput, match=r"data\.noun: expected a synset at byte"):
        read_wndb(Package(folder), "WordNet 3.0").synsets("movie")


@pytest.mark.parametrize("content", ["", "[]", '{"lemmas": {}}', '{"lemmas": [], "synsets": {}}', "{"])
def test_json_that_is_no_wordnet_is_one_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "o.json").write_text(content)
    with pytest.raises(BadInput, match="expected the Open English WordNet"):
        read_oewn(tmp_path / "o.json")


def test_reading_leaves_the_garbage_collector_as_it_was(tmp_path: Path) -> None:
    import gc

    (tmp_path / "o.json").write_text("{")
    assert gc.isenabled()
    with pytest.raises(BadInput):
        read_oewn(tmp_path / "o.json")
    assert gc.isenabled()


def test_what_a_caller_does_to_a_list_changes_no_later_answer(tmp_path: Path) -> None:
    wordnet: Any = read_oewn(write_oewn(tmp_path / "o.json"))
    wordnet.synsets("film").clear()
    wordnet.synonyms("film").clear()
    assert len(wordnet.synsets("film")) == 3
    assert wordnet.synonyms("film")
