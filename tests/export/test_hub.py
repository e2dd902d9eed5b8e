"""A folder goes to a new repository whole, private unless asked otherwise, and every failure is one line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from export.exported import exported, write_quick_onnx
from export.hub_stand_in import TOKEN, StandIn, connected, standing_in

from rosearch.errors import BadInput, MissingResource
from rosearch.export.hub import plan_push, require_hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with connected(monkeypatch) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = exported(tmp_path_factory.mktemp("pushed"))
    write_quick_onnx(made)
    (made / ".git").mkdir()
    (made / ".git" / "config").write_text("mine")
    return made


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of httpx, to huggingface_hub 1
@pytest.mark.parametrize("public", [False, True])
def test_exactly_the_listed_files_are_sent_to_a_repository_that_is_private_unless_asked(
    public: bool, hub: StandIn, folder: Path
) -> None:
    require_hub("me/student")
    push = plan_push(folder, "me/student", public=public)
    assert hub.asked == []  # nothing leaves before it is sent
    assert push.send() == f"{hub.address}/me/student"
    assert hub.is_private("me/student") is not public
    assert {path for path, _ in push.files} == hub.files.keys() >= {"README.md", "onnx/model.onnx", "evidence.json"}
    assert not any(path.startswith(".git") for path in hub.files)
    assert hub.tokens == {f"Bearer {TOKEN}"}
    for path, size in push.files:
        content, found = (folder / path).read_bytes(), hub.files[path]
        assert len(content) == size
        if isinstance(found, str):
            assert hub.large[found] == content and found == hashlib.sha256(content).hexdigest()
        else:
            assert found == content


def test_a_name_that_is_taken_is_said_and_nothing_is_sent(hub: StandIn, folder: Path) -> None:
    hub.taken.add("me/student")
    with pytest.raises(BadInput, match="expected a name that is free, got a repository of that name") as caught:
        plan_push(folder, "me/student").send()
    assert len(caught.value.lines) == 1 and hub.files == {}


def test_a_token_that_may_not_write_is_said(hub: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_another")
    with pytest.raises(MissingResource, match=r"the hub refuses the token \(401\); Log in by") as caught:
        plan_push(folder, "me/student").send()
    assert len(caught.value.lines) == 1 and hub.made == {}


def test_a_hub_that_fails_in_between_is_said_with_what_it_holds(hub: StandIn, folder: Path) -> None:
    hub.broken.add("/commit/")
    with pytest.raises(MissingResource, match="me/student: made, but it holds no files yet") as caught:
        plan_push(folder, "me/student").send()
    assert len(caught.value.lines) == 1 and "\n" not in str(caught.value)


def test_a_hub_that_cannot_be_reached_is_said(hub: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with standing_in() as other:
        gone = other.address
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", gone)
    with pytest.raises(MissingResource, match="the hub cannot be reached") as caught:
        plan_push(folder, "me/student").send()
    assert len(caught.value.lines) == 1 and hub.asked == []


def test_no_token_offline_mode_and_a_name_that_is_none_are_said_before_anything_is_done(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="expected NAME or OWNER/NAME of the hub, got 'a/b/c'"):
        require_hub("a/b/c")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingResource, match="HF_HUB_OFFLINE is set; Unset it to push"):
        require_hub("me/student")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(MissingResource, match="no token of the hub; Set HF_TOKEN"):
        require_hub("me/student")
    assert hub.asked == []


def test_a_folder_that_is_no_export_damaged_or_holds_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"config.json: expected an exported folder"):
        plan_push(tmp_path, "me/student")
    own = exported(tmp_path)
    (own / "passwords").symlink_to(tmp_path)
    with pytest.raises(BadInput, match="passwords: expected files of the folder itself, got a link"):
        plan_push(own, "me/student")
    (own / "passwords").unlink()
    (own / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"config.json: damaged"):
        plan_push(own, "me/student")
