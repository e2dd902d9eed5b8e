from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from resources.tiny_tagger import trained, write_nltk_tagger, write_tagger

from rosearch.errors import BadInput
from rosearch.resources.resources import Resources
from rosearch.resources.tagger import Tagger

WORDS = ["the", "film", "good", "Actor", "moves", "1999", "25", "well-made", "-x", "in", ".", "", "story", "ünder"]


@pytest.fixture
def nltk_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """NLTK's own layout in NLTK's only folder, and nothing that NLTK remembered of another one."""
    import nltk.data
    import nltk.tag
    from nltk.tag import mapping

    write_nltk_tagger(tmp_path / "taggers")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    monkeypatch.setattr(mapping, "_MAPPINGS", type(mapping._MAPPINGS)(mapping._MAPPINGS.default_factory))
    nltk.tag._get_tagger.cache_clear()
    nltk.data.clear_cache()
    yield tmp_path
    nltk.tag._get_tagger.cache_clear()
    nltk.data.clear_cache()


def test_tags_are_those_of_nltk_pos_tag_on_any_words(nltk_data: Path) -> None:
    import nltk

    tagger = Resources(nltk_data).tagger()
    draw = random.Random(1)
    seen = set()
    for _ in range(300):
        words = draw.choices(WORDS, k=draw.randrange(9))
        expected = nltk.pos_tag(words, tagset="universal", lang="eng")
        assert tagger.tag(words) == expected
        seen |= {tag for _, tag in expected}
    assert {"NOUN", "VERB", "X", "."} <= seen


def test_one_json_file_and_nltks_package_give_the_same_tags(nltk_data: Path, tmp_path: Path) -> None:
    write_tagger(tmp_path / "other")
    words = ["they", "film", "the", "good", "story", "in", "1999", "."]
    assert Resources(tmp_path / "other").tagger().tag(words) == Resources(nltk_data).tagger().tag(words)


def test_equal_scores_go_to_the_last_tag_in_the_alphabet_as_nltk_does_it() -> None:
    tagger = Tagger({"bias": {"NN": 1.0, "VB": 1.0, "DT": 1.0}}, {}, ["VB", "DT", "NN"], {"VB": "VERB"})
    assert tagger.tag(["so"]) == [("so", "VERB")]


def test_words_of_the_tagdict_need_no_weights_and_unknown_tags_become_x() -> None:
    tagger = Tagger({}, {"the": "DT"}, ["NN"], {"DT": "DET"})
    assert tagger.tag(["the", "cat"]) == [("the", "DET"), ("cat", "X")]


def test_a_file_without_its_parts_is_one_clear_error(tmp_path: Path) -> None:
    write_tagger(tmp_path)
    (tmp_path / "averaged_perceptron_tagger.json.xz").unlink()
    (tmp_path / "averaged_perceptron_tagger.json").write_text('{"weights": {}}')
    with pytest.raises(BadInput, match="expected weights, tagdict and classes of a perceptron tagger"):
        Resources(tmp_path).tagger()


def test_training_is_repeatable_so_that_these_tests_are() -> None:
    assert trained() == trained()
