"""The contract of every export target."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from damaged_files import DAMAGES
from export.saved_student import FACTS, WORDS, make_tokenizer
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from rosearch.errors import BadInput, RunError
from rosearch.export.targets import TARGETS
from rosearch.files import whole
from rosearch.models.saved import load_tokenizer


@pytest.fixture(params=list(TARGETS))
def export(request: pytest.FixtureRequest, student: Path, tokenizer: Path, tmp_path: Path) -> Callable[..., Path]:
    """A target with everything given but the destination `tmp_path / "out"`; keywords replace."""

    def run(**changes: object) -> Path:
        given = {"student": student, "tokenizer": tokenizer, "destination": tmp_path / "out", "facts": FACTS}
        return TARGETS[request.param](**{**given, **changes})  # type: ignore[arg-type]

    return run


def test_an_existing_destination_is_refused_and_left_as_it_is(export: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="exists already"):
        export()
    with pytest.raises(RunError, match="is no earlier export"):
        export(overwrite=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_earlier_export_is_replaced_as_a_whole_when_asked_to(export: Callable[..., Path], tmp_path: Path) -> None:
    (export() / "old.txt").write_text("of the first export")
    with pytest.raises(RunError, match="exists already"):
        export()
    folder = export(overwrite=True, facts=replace(FACTS, run="sst2-0002"))
    assert "sst2-0002" in (folder / "README.md").read_text()
    assert not (folder / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_missing_parents_of_the_destination_are_made(export: Callable[..., Path], tmp_path: Path) -> None:
    assert export(destination=tmp_path / "a" / "b" / "out").is_dir()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": Path("nowhere")}, "nowhere: expected the config.json and model.safetensors"),
        ({"tokenizer": Path("nowhere")}, "nowhere: expected the folder of a saved tokenizer"),
        ({"facts": replace(FACTS, labels=("positive", "negative"))}, "labels positive, negative, got neg"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_clear_line_and_nothing_is_written(
    export: Callable[..., Path], tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(RunError, match=message) as caught:
        export(**changes)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_encoding_of_words_is_carried_or_its_absence_is_an_error(
    export: Callable[..., Path], encoded_tokenizer: Path
) -> None:
    """Whatever in an export a stock tokenizer can read must encode words too."""
    folder = export(tokenizer=encoded_tokenizer)
    read = load_tokenizer(folder)("a very godo txet")["input_ids"]
    assert read == make_tokenizer(WORDS)("a very good film")["input_ids"]
    for path in folder.iterdir():
        if path.suffix == ".json":
            with pytest.raises(Exception, match=r"trust_remote_code=True|at line"):  # the library's own class
                Tokenizer.from_file(str(path))
    with pytest.raises(Exception, match="trust_remote_code=True"):
        AutoTokenizer.from_pretrained(folder)


def test_a_damaged_tokenizer_is_one_clear_line(export: Callable[..., Path], tokenizer: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(tokenizer, tmp_path / "damaged")
    (damaged / "tokenizer.json").write_text("{torn")
    with pytest.raises(RunError, match="damaged: expected a saved tokenizer, got: ") as caught:
        export(tokenizer=damaged)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["damaged"]


@pytest.mark.parametrize("way", DAMAGES)
@pytest.mark.parametrize(
    ("part", "name"), [("student", "model.safetensors"), ("student", "config.json"), ("tokenizer", "tokenizer.json")]
)
def test_damage_to_what_is_exported_is_named_and_nothing_is_written(
    part: str, name: str, way: str, export: Callable[..., Path], student: Path, tokenizer: Path, tmp_path: Path
) -> None:
    with whole(tmp_path / "run") as draft:
        shutil.copytree({"student": student, "tokenizer": tokenizer}[part], draft)
    DAMAGES[way](tmp_path / "run" / name)
    with pytest.raises(BadInput, match=rf"{name}: damaged: ") as caught:
        export(**{part: tmp_path / "run"})
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_destination_that_cannot_be_written_is_one_clear_line(export: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="out: cannot be written: Not a directory"):
        export(destination=tmp_path / "file" / "out")
