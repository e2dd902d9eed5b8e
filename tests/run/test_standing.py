from __future__ import annotations

from pathlib import Path

import pytest
from damaged_files import DAMAGES

from rosearch.run.standing import AtWork, Stage, Standing, StandingFile, read_standing, standing_data


def standing(written: float, done: int = 3, stage: str = "attack pruthi") -> Standing:
    student = AtWork(12, "3fa9c2d1", Stage(stage, done, 50, 90.0))
    return Standing(written, (Stage("teacher", 1, 13, 95.0),), (student,))


def test_a_standing_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    StandingFile(path).put(standing(100.0))
    assert read_standing(path) == standing(100.0)
    data = standing_data(standing(100.0), now=104.0)
    assert data["seconds_ago"] == 4.0 and data["own"] == ({"name": "teacher", "done": 1, "total": 13, "seconds": 5.0},)


def test_it_is_written_at_once_where_a_stage_begins_and_else_once_a_second(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    file = StandingFile(path)
    file.put(standing(100.0))
    file.put(standing(100.5, done=4))
    assert read_standing(path) == standing(100.0)
    file.put(standing(100.6, done=4, stage="efficiency"))
    assert read_standing(path) == standing(100.6, done=4, stage="efficiency")
    file.put(standing(101.7, done=5, stage="efficiency"))
    assert read_standing(path) == standing(101.7, done=5, stage="efficiency")
    assert [one.name for one in tmp_path.iterdir()] == ["progress.json"]


def test_a_clock_that_is_set_back_does_not_stop_it(tmp_path: Path) -> None:
    file, stage = StandingFile(tmp_path / "progress.json"), Stage("teacher", 1, 9, 1.0)
    for written in (1e9, 5.0):
        file.put(Standing(written, (stage,)))
    found = read_standing(tmp_path / "progress.json")
    assert found is not None and found.written == 5.0


def test_of_hundreds_of_students_some_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    students = tuple(AtWork(number, "3fa9c2d1", Stage("attack pruthi", 1, 50, 90.0)) for number in range(1, 1001))
    StandingFile(path).put(Standing(100.0, (), students))
    assert read_standing(path) == Standing(100.0, (), students[:64], others=936)


def test_a_folder_that_cannot_be_written_ends_no_search(tmp_path: Path) -> None:
    StandingFile(tmp_path / "gone" / "progress.json").put(standing(100.0))
    assert not (tmp_path / "gone").exists()


def test_it_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".progress.json.draft").symlink_to(victim)
    StandingFile(tmp_path / "progress.json").put(standing(100.0))
    assert victim.read_text() == "mine" and read_standing(tmp_path / "progress.json") is not None


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"written": "now"}', b'{"written": 1.0, "own": [{}]}', b" " * (1 << 17)],
    ids=range(8),
)
def test_a_file_that_cannot_be_read_is_left_out_and_said(
    text: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "progress.json"
    path.write_bytes(text)
    assert read_standing(path) is None
    assert f"{path}: damaged" in caplog.text


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "deleted"])
def test_a_changed_byte_is_noticed(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "progress.json"
    StandingFile(path).put(standing(100.0))
    DAMAGES[damage](path)
    assert read_standing(path) is None
    assert f"{path}: damaged" in caplog.text


def test_no_file_is_none(tmp_path: Path) -> None:
    assert read_standing(tmp_path / "progress.json") is None
