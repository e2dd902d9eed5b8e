"""Whatever changes in an exported folder is found; a folder that is as it was written passes every check."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from export.classifiers import as_good
from export.exported import exported, write_quick_onnx
from export.saved_student import FACTS

from rosearch.errors import BadInput
from rosearch.export import verification
from rosearch.export.destination import EVIDENCE
from rosearch.export.evidence import read_evidence
from rosearch.export.facts import read_facts
from rosearch.export.formats import FORMATS
from rosearch.export.runners import open_runner
from rosearch.export.targets.huggingface import export_student
from rosearch.export.targets.int8 import export_int8
from rosearch.export.verification import Check, verify
from rosearch.files import DIGESTS, write_digests


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with its ONNX file."""
    folder = exported(tmp_path_factory.mktemp("verification"))
    FORMATS["onnx"].export(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "out")


@pytest.fixture(autouse=True)
def asked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process of its own would answer; tests/export/test_fresh.py starts one."""

    def ask(folder: Path, rows: Sequence[tuple[str, ...]], *, trusted: bool) -> list[list[float]]:
        found: list[list[float]] = open_runner(folder, "hf", read_facts(folder)).logits(rows).tolist() if rows else []
        return found

    monkeypatch.setattr(verification, "ask_fresh_process", ask)


def states(checks: Iterator[Check]) -> dict[str, str]:
    return {check.name: check.state for check in checks}


def failures(folder: Path) -> list[str]:
    return [str(problem) for check in verify(folder) for problem in check.problems]


def all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_folder_that_is_as_it_was_written_passes_every_check(folder: Path) -> None:
    assert states(verify(folder)) == dict.fromkeys(("files", "evidence", "card", "encoding", "loading", "onnx"), "ok")


@pytest.mark.parametrize("way", ["flip", "delete", "append"])
def test_a_change_of_any_file_is_one_line_that_names_a_file(way: str, folder: Path) -> None:
    for path in all_files(folder):
        before = path.read_bytes()
        after = bytearray(before)
        after[len(after) // 2] ^= 1
        if way == "delete":
            path.unlink()
        else:
            path.write_bytes(after if way == "flip" else before + b" ")
        found = failures(folder)
        if (way, path.name) == ("append", "README.md"):  # a card is for people to edit
            assert found == [] and any("its text was edited since" in check.told for check in verify(folder))
        else:
            assert len(found) == 1 and "\n" not in found[0], (path, found)
            assert path.name in found[0] or path.name == DIGESTS
        path.write_bytes(before)
    assert failures(folder) == []


def test_several_changes_are_told_together_and_what_builds_on_them_is_not_tried(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "onnx/model.onnx").write_bytes(b"")
    assert [line.split(": ")[0].rpartition("/")[2] for line in failures(folder)] == ["tokenizer.json", "model.onnx"]
    assert states(verify(folder)) == {"files": "failed"}


def rewrite(path: Path, **changes: object) -> None:
    """Changes a file of the folder, with digests to match."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    write_digests_of(path.parent)


def write_digests_of(place: Path) -> None:
    """The digests of a folder as it is; what lies in `onnx` inside it has its own."""
    aside = (place / "onnx").rename(place.parent / "aside")
    write_digests(place)
    aside.rename(place / "onnx")


def test_changes_with_digests_to_match_are_found_by_what_was_recorded(folder: Path) -> None:
    evidence = json.loads((folder / EVIDENCE).read_text())
    evidence["examples"][0]["logits"][0] += 0.5
    rewrite(folder / EVIDENCE, examples=evidence["examples"], encoding="0" * 32)
    found = failures(folder)
    assert "expected the encoding that was recorded, got none" in found[0]
    assert "expected recorded, within 0.0001 of the largest, got 0." in found[1] and len(found) == 2


def test_a_figure_that_was_changed_on_the_card_is_told(folder: Path) -> None:
    card = folder / "README.md"
    card.write_text(card.read_text().replace("83.0 %", "93.0 %"))
    [line] = failures(folder)
    assert "figures: expected the line" in line and "| 83.0 % [78.0" in line and "1 of" in line


def test_a_format_of_another_model_or_of_an_older_one_is_told(folder: Path) -> None:
    rewrite(folder / "tokenizer_config.json", note="another folder than the format was made from")
    [line] = failures(folder)
    assert "model.onnx: source: expected" in line and "--target onnx" in line
    shutil.rmtree(folder / "onnx")
    write_quick_onnx(folder)
    write_digests(folder / "onnx")
    [line] = failures(folder)
    assert "model.onnx: logits: expected torch's" in line


def test_the_card_tells_of_int8_what_it_was_measured_by_and_nothing_where_it_is_gone(folder: Path) -> None:
    export_int8(folder, as_good)
    assert set(states(verify(folder)).values()) == {"ok"}
    card = folder / "README.md"
    before = card.read_text()
    card.write_text(before.replace("100.00 % of 400 rows", "99.99 % of 400 rows"))
    [line] = failures(folder)
    assert "README.md: int8: expected the line '| predicted as in float32 | 100.00 % of 400" in line
    assert "1 lines changed or gone" in line and "--target onnx writes this part of the card anew" in line
    card.write_text(before)
    for path in (folder / "onnx").glob("model_quantized.*"):
        path.unlink()
    write_digests(folder / "onnx")
    [line] = failures(folder)
    assert "README.md: int8: expected nothing on int8: onnx/model_quantized.onnx is not there" in line
    FORMATS["onnx"].export(folder)
    assert failures(folder) == []


def test_what_transformers_js_reads_is_asked_by_its_own_tokenizer_and_labels(folder: Path) -> None:
    FORMATS["transformersjs"].export(folder)
    assert states(verify(folder))["transformersjs"] == "ok"
    place = folder / "transformersjs"
    config, tokenizer = place / "config.json", place / "tokenizer.json"
    told = config.read_text()
    config.write_text(told.replace('"0": "negative"', '"0": "positive"'))
    write_digests_of(place)
    [line] = failures(folder)
    assert "transformersjs/config.json: id2label: expected negative, positive, got positive, positive" in line
    config.write_text(told)
    words = json.loads(tokenizer.read_text())
    vocabulary = words["model"]["vocab"]
    vocabulary["film"], vocabulary["bad"] = vocabulary["bad"], vocabulary["film"]
    tokenizer.write_text(json.dumps(words))
    write_digests_of(place)
    runners = [open_runner(folder, name, read_facts(folder)) for name in ("onnx", "transformersjs")]
    ids = [int(runner.read([("bad",)], runner.inputs)["input_ids"][0, 1]) for runner in runners]
    assert ids == [vocabulary["film"], vocabulary["bad"]]


def test_a_stock_tokenizer_that_skips_the_encoding_is_told(
    student: Path, tokenizer: Path, encoded_tokenizer: Path, tmp_path: Path
) -> None:
    folder = export_student(student, encoded_tokenizer, tmp_path / "out", FACTS)
    assert failures(folder) == []
    shutil.copy(tokenizer / "tokenizer.json", folder / "tokenizer.json")
    write_digests(folder)
    assert "tokenizer.json: expected a file that stock readers refuse" in failures(folder)[0]


def test_code_that_is_not_ours_is_not_run_unless_it_is_trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "mine.txt").touch()
    monkeypatch.setattr(verification, "foreign_code", lambda folder: ["mine.py"])
    found = {check.name: check for check in verify(folder)}
    assert "1 that it does not know: mine.txt" in found["files"].told
    assert found["loading"].state == "unknown" and "mine.py: not the code of this rosearch" in found["loading"].told
    assert found["onnx"].state == "ok"  # against the recorded logits
    assert states(verify(folder, trust_remote_code=True))["loading"] == "ok"


def test_an_older_export_passes_with_what_cannot_be_checked_named(folder: Path) -> None:
    for path in (folder / EVIDENCE, *folder.rglob(DIGESTS)):
        path.unlink()
    found = states(verify(folder))
    assert [name for name, state in found.items() if state == "unknown"] == ["files", "evidence", "card"]
    assert found["loading"] == found["onnx"] == "ok" and read_evidence(folder) is None


def test_what_is_no_export_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"expected an exported folder, got no config.json"):
        next(verify(tmp_path))
