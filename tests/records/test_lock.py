from __future__ import annotations

import os
from pathlib import Path

import pytest

from rosearch.errors import RunError
from rosearch.records import lock
from rosearch.records.lock import RunLock, network_file_system, require_local

MOUNTS = {"/": "ext4", "/shared": "nfs4", "/shared/disk": "xfs", "/ssh": "fuse.sshfs", "/two words": "lustre"}
MOUNTS |= {"/sandbox": "9p", "/container": "fuse.fuse-overlayfs"}


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    lines = [(place.replace(" ", "\\040"), kind) for place, kind in MOUNTS.items()]
    path = tmp_path / "mountinfo"
    path.write_text("".join(f"1 2 0:1 / {place} rw shared:1 - {kind} source rw\n" for place, kind in lines))
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/shared/runs/a", "nfs4"),
        ("/shared/disk/a", ""),
        ("/home/a", ""),
        ("/ssh/a", "fuse.sshfs"),
        ("/two words/a", "lustre"),
        ("/sandbox/a", ""),
        ("/container/a", ""),
    ],
)
def test_a_network_file_system_is_known_by_the_nearest_mount(path: str, kind: str, mounts: Path) -> None:
    assert network_file_system(Path(path), mounts) == kind
    assert network_file_system(Path(path), mounts.with_name("absent")) == ""


def test_a_link_to_a_network_file_system_is_one(mounts: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to("/shared/runs")
    assert network_file_system(tmp_path / "runs" / "a", mounts) == "nfs4"


def test_the_line_of_a_refusal_holds_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "network_file_system", lambda path: "nfs4")
    with pytest.raises(RunError) as refused:
        require_local(Path("/shared/runs"), "rosearch resume /shared/runs/a")
    assert str(refused.value) == (
        "/shared/runs: lies on a network file system (nfs4), where SQLite may lose what it wrote. "
        "Name a folder on a disk of this machine for the records: `rosearch resume /shared/runs/a --records DIR`"
    )


def test_a_lock_names_its_holder_until_it_is_released(tmp_path: Path) -> None:
    held = RunLock(tmp_path, tmp_path / "lock", tmp_path / "driver")
    assert held.holder() == ""
    with held.held():
        assert held.holder().startswith(f"pid {os.getpid()} on ")
        with pytest.raises(RunError, match=f"another process is working on it .pid {os.getpid()} on "), held.held():
            pass
        assert held.holder() != ""  # who was refused has taken nothing away
    assert held.holder() == ""


def test_a_driver_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "driver").write_text("pid 1 on another")
    assert RunLock(tmp_path, tmp_path / "lock", tmp_path / "driver").holder() == ""
