"""Word vectors of plain text: words that stand beside the same words are near each other."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from rosearch.config.corpus import CorpusConfig, CorpusSource
from rosearch.data.corpus_sources import find_sources
from rosearch.errors import BadInput
from rosearch.progress import silent
from rosearch.resources.vectors import read_vectors
from rosearch.training import static_vectors as module
from rosearch.training.static_vectors import VectorSettings, make_static_vectors

GROUPS = [
    [f"{letter}{one}" for one in "abcdef"] for letter in "mnopq"
]  # words of a group stand beside its own contexts
SETTINGS = VectorSettings(words=100, least=5, reach=2, width=4)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    rng = random.Random(1)
    lines = []
    for _ in range(1500):
        group = rng.randrange(len(GROUPS))
        around = [f"{'vwxyz'[group]}{letter}" for letter in rng.choices("abc", k=2)]
        lines.append(f"{around[0]} {rng.choice(GROUPS[group])} {around[1]}, Seldom{'x' * (len(lines) % 7)}")
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines))
    return path


def test_a_words_nearest_words_are_those_that_stand_where_it_stands(text: Path, tmp_path: Path) -> None:
    vectors = read_vectors(make_static_vectors([text], SETTINGS, tmp_path).file)
    assert np.linalg.norm(vectors.matrix, axis=1) == pytest.approx(1, abs=1e-3)
    places = {word: place for place, word in enumerate(vectors.words)}
    members = [[places[word] for word in group] for group in GROUPS]
    matrix = vectors.matrix @ vectors.matrix.T
    for own, group in enumerate(members):
        inside = matrix[np.ix_(group, group)][~np.eye(len(group), dtype=bool)]
        outside = matrix[np.ix_(group, [place for other in members if other is not members[own] for place in other])]
        assert inside.min() > outside.max()


def test_equal_text_gives_equal_vectors_and_is_read_once(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_static_vectors([text], SETTINGS, tmp_path / "one")
    again = make_static_vectors([text], SETTINGS, tmp_path / "two")
    assert first.file.read_bytes() == again.file.read_bytes()
    monkeypatch.setattr(module, "_read_words", None)
    assert make_static_vectors([text], SETTINGS, tmp_path / "one") == first
    assert first.words == len(first.file.read_text().splitlines())


def test_words_in_two_paragraphs_do_not_stand_beside_each_other(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("one two\nthree one\n" * 5)
    settings = VectorSettings(words=3, least=5, reach=2, width=1)
    ids, words = module._read_words(
        find_sources(CorpusConfig(sources=[CorpusSource(path=str(path))])), settings, silent
    )
    pairs = module._pairs(ids, 3, 2, silent).todense()
    assert words == ["one", "three", "two"]
    assert pairs.tolist() == [[0, 5, 5], [5, 0, 0], [5, 0, 0]]


def test_pairs_are_the_same_whatever_is_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.random.default_rng(1).integers(-1, 9, 300).astype(np.int32)
    whole = module._pairs(ids, 9, 3, silent).todense()
    monkeypatch.setattr(module, "_AT_ONCE", 7)
    assert module._pairs(ids, 9, 3, silent).todense() == pytest.approx(whole)


def test_too_little_text_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a good film\n")
    with pytest.raises(
        BadInput, match=r"text\.txt: expected text with 6 frequent words or more, got 0 words that occur 5"
    ):
        make_static_vectors([path], SETTINGS, tmp_path / "cache")
    assert not [one for one in (tmp_path / "cache" / "vectors").iterdir() if one.is_dir()]
