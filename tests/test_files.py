"""Files and folders are whole or absent, made once, and hashed by their content."""

from __future__ import annotations

import ast
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from damaged_files import DAMAGES, flip
from filelock import FileLock

from rosearch import files
from rosearch.errors import BadInput, MachineFault
from rosearch.files import (
    DIGESTS,
    content,
    content_key,
    damage,
    draft_beside,
    file_hash,
    importable,
    lock_holder,
    locked,
    made_once,
    remove_whole,
    require_whole,
    sweep,
    try_lock,
    whole,
    write_whole,
)

WRITING = """
import sys, time
from pathlib import Path
from rosearch.files import whole
with whole(Path(sys.argv[1])) as draft:
    draft.write_text("half")
    print(draft.name, flush=True)
    time.sleep(60)
"""

KILLED = """
import os, signal, sys
from pathlib import Path
from rosearch.files import made_once, whole
path, way = Path(sys.argv[1]), sys.argv[2]

def fill(draft):
    if way.endswith("folder"):
        draft.mkdir()
        draft = draft / "inside"
    draft.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

if way.startswith("once"):
    made_once(path, lambda path: None, fill)
with whole(path, alone=True) as draft:
    fill(draft)
"""

COUNTED = """
import sys, time
from pathlib import Path
from rosearch.files import content, made_once
path, count = Path(sys.argv[1]), Path(sys.argv[2])

def make(draft):
    with count.open("a") as file:
        file.write("made ")
    time.sleep(0.5)
    draft.write_text("content")

print(made_once(path, lambda path: content(path).decode() if path.exists() else None, make))
"""

HOLDING = """
import sys, time
from pathlib import Path
from rosearch.files import try_lock
lock = try_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def stored(path: Path) -> str | None:
    return content(path).decode() if path.exists() else None


@pytest.fixture
def umask() -> Iterator[None]:
    old = os.umask(0o027)
    yield
    os.umask(old)


def test_a_file_takes_the_place_of_the_old_one_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    write_whole(path, "old é")
    with whole(path) as draft:
        draft.write_text("new")
        assert path.read_text(encoding="utf-8") == "old é"
    assert path.read_text() == "new"
    assert entries(path.parent) == ["table.csv"]


def test_a_folder_takes_the_place_of_the_old_one_with_nothing_of_it_left(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with whole(tmp_path / "student") as draft:
            draft.mkdir()
            (draft / name).touch()
    assert entries(tmp_path) == ["student"]
    assert entries(tmp_path / "student") == ["new", DIGESTS]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("folder", [False, True])
def test_an_exception_inside_leaves_the_old_one_and_no_draft(
    tmp_path: Path, folder: bool, kind: type[BaseException]
) -> None:
    path = tmp_path / "kept"
    with whole(path) as draft:
        draft.mkdir() if folder else draft.write_text("old")
    with pytest.raises(kind), whole(path) as draft:
        draft.mkdir() if folder else draft.write_text("half")
        raise kind
    assert path.is_dir() == folder
    assert entries(tmp_path) == ["kept"]


def test_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "text", "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "text", "new" * 100_000 + "\ud800")
    assert (tmp_path / "text").read_text() == "old"
    assert entries(tmp_path) == ["text"]


def test_a_folder_that_cannot_be_moved_into_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "student"
    path.mkdir()
    (path / "old").touch()
    rename = Path.rename

    def fails(source: Path, target: Path) -> Path:
        if target == path and not (source / "old").exists():
            raise OSError("disk full")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="disk full"), whole(path) as draft:
        draft.mkdir()
    assert entries(tmp_path) == ["student"]
    assert entries(path) == ["old"]


@pytest.mark.parametrize("way", ["file", "folder", "once file", "once folder"])
def test_a_kill_leaves_nothing_under_the_name_and_the_next_one_clears_the_rest(tmp_path: Path, way: str) -> None:
    path = tmp_path / "made"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), way], check=False)
    assert done.returncode == -signal.SIGKILL
    left = [".made.draft", ".made.draft.lock", *(["made.lock"] if way.startswith("once") else [])]
    assert entries(tmp_path) == left
    assert made_once(path, stored, lambda draft: draft.write_text("whole")) == "whole"
    assert entries(tmp_path) == ["made", "made.lock"]


def test_the_halves_of_all_keys_are_swept_before_another_one_is_made(tmp_path: Path) -> None:
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / name), "once folder"], check=False)
    assert made_once(tmp_path / "three", stored, lambda draft: draft.write_text("whole")) == "whole"
    assert entries(tmp_path) == ["one.lock", "three", "three.lock", "two.lock"]


def test_what_a_living_process_writes_is_not_swept(tmp_path: Path) -> None:
    path = tmp_path / "made"
    with subprocess.Popen([sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        draft = other.stdout.readline().strip()
        sweep(tmp_path)
        write_whole(path, "ours")
        assert entries(tmp_path) == [draft, f"{draft}.lock", "made"]
        other.kill()
        other.wait()
    write_whole(path, "again")
    assert entries(tmp_path) == ["made"]


def test_only_halves_are_swept_and_beside_an_export_only_its_own(tmp_path: Path) -> None:
    kept = [".hidden", ".student.v2", ".student.unfinished", ".other.0123abcd", "student"]
    for name in (*kept, ".student.89abcdef", ".student.89abcdef.lock", ".student.draft"):
        (tmp_path / name).touch()
    write_whole(tmp_path / "student", "new")
    assert entries(tmp_path) == sorted(kept)
    sweep(tmp_path)
    assert entries(tmp_path) == sorted(set(kept) - {".other.0123abcd"})


def test_a_folder_that_a_kill_left_replaced_by_none_is_put_back(tmp_path: Path) -> None:
    for name in (".student.0123abcd.old", ".student.0123abcd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    sweep(tmp_path)
    assert entries(tmp_path) == ["student"] and entries(tmp_path / "student") == [".student.0123abcd.old"]


@pytest.mark.parametrize("folder", [False, True])
def test_what_cannot_be_synced_takes_no_place(folder: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output"), whole(tmp_path / "made") as draft:
        draft.mkdir() if folder else draft.write_text("new")
    assert entries(tmp_path) == []


def test_the_folder_where_the_user_stands_is_not_imported_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    assert importable() == sys.path[2:]
    source = str(Path(files.__file__).parents[1])  # rosearch itself lies here
    monkeypatch.chdir(source)
    monkeypatch.setattr(sys, "path", ["", source, *sys.path])
    assert importable()[:2] == ["", source]


def test_files_and_folders_are_on_the_disk_before_they_are_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def synced(handle: int) -> None:
        events.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        fsync(handle)

    def replaced(source: Path, target: Path) -> Path:
        events.append("rename")
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    with whole(tmp_path / "student", alone=True) as draft:
        (draft / "inner").mkdir(parents=True)
        (draft / "inner" / "weights").touch()
    at = events.index("rename")
    assert set(events[:at]) == {"sync weights", "sync inner", "sync .student.draft", f"sync {DIGESTS}"}
    assert events[at + 1 :] == [f"sync {tmp_path.name}"]


@pytest.mark.usefixtures("umask")
def test_everything_has_the_mode_of_the_umask_also_what_a_library_wrote_for_its_owner_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "text", "text")
    with whole(tmp_path / "student") as draft:
        (draft / "inner").mkdir(parents=True)
        (draft / "inner" / "weights").touch(mode=0o600)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"text": 0o640, "student": 0o750, "inner": 0o750, "weights": 0o640, DIGESTS: 0o640}


def test_a_file_where_a_folder_must_be_is_named_and_not_the_draft_in_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=r"Not a directory: '.*/file'$"), whole(tmp_path / "file" / "new"):
        pass


def test_a_link_in_a_folder_is_left_as_it_is_wherever_it_points(tmp_path: Path) -> None:
    with whole(tmp_path / "folder") as draft:
        draft.mkdir()
        (draft / "link").symlink_to("nowhere")
    assert (tmp_path / "folder" / "link").readlink() == Path("nowhere")


def test_the_file_before_is_kept_where_that_is_asked(tmp_path: Path) -> None:
    path, previous = tmp_path / "state", tmp_path / "state.previous"
    for text in ("one", "two", "three"):
        with whole(path, previous=previous) as draft:
            draft.write_text(text)
    assert (path.read_text(), previous.read_text()) == ("three", "two")
    assert entries(tmp_path) == ["state", "state.previous"]


def test_a_draft_that_stays_under_its_name_is_removed(tmp_path: Path) -> None:
    with draft_beside(tmp_path / "runs" / "run") as draft:
        draft.mkdir()
        assert entries(tmp_path / "runs") == [draft.name, f"{draft.name}.lock"] and draft.name.startswith(".run.")
    assert entries(tmp_path / "runs") == []


def test_a_folder_is_removed_and_removing_none_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "weights").touch()
    remove_whole(tmp_path / "student")
    remove_whole(tmp_path / "student")
    assert entries(tmp_path) == []


def test_what_is_there_is_read_and_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "abc.json"
    assert made_once(path, stored, lambda draft: draft.write_text("first")) == "first"
    assert made_once(path, stored, lambda draft: draft.write_text("second")) == "first"
    assert entries(path.parent) == ["abc.json", "abc.lock"]


def test_what_is_damaged_is_made_again(tmp_path: Path) -> None:
    def read(path: Path) -> str | None:
        return (path / "content").read_text() if (path / "content").exists() else None

    def make(draft: Path) -> None:
        draft.mkdir()
        (draft / "content").write_text("whole")

    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "half").touch()
    assert made_once(tmp_path / "abc", read, make) == "whole"
    assert entries(tmp_path / "abc") == ["content", DIGESTS]


def test_a_failure_to_make_is_raised_and_the_next_one_tries_again(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise ValueError("no text")

    with pytest.raises(ValueError, match="no text"):
        made_once(tmp_path / "abc", stored, fail)
    assert entries(tmp_path) == ["abc.lock"]
    assert made_once(tmp_path / "abc", stored, lambda draft: draft.write_text("whole")) == "whole"


def test_what_another_process_makes_meanwhile_is_looked_for_again_under_the_lock(tmp_path: Path) -> None:
    looks = []

    def read(path: Path) -> str | None:
        looks.append(path)
        return None if len(looks) == 1 else "theirs"

    assert made_once(tmp_path / "abc", read, lambda draft: draft.write_text("ours")) == "theirs"
    assert not (tmp_path / "abc").exists()


def test_of_two_processes_at_once_one_makes_and_both_read(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COUNTED, str(tmp_path / "abc"), str(tmp_path / "count")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == ["content", "content"]
    assert (tmp_path / "count").read_text() == "made "


def test_a_lock_that_another_process_holds_is_refused_until_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        assert try_lock(path) is None
        other.kill()
        other.wait()
    deadline = time.monotonic() + 10
    while (lock := try_lock(path)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert lock is not None
    lock.release()


def test_a_lock_lies_beside_what_it_guards(tmp_path: Path) -> None:
    with locked(tmp_path / "latency" / "abc.json"):
        assert try_lock(tmp_path / "latency" / "abc.lock") is None
    assert isinstance(try_lock(tmp_path / "latency" / "abc.lock"), FileLock)


HOLDER = """
import sys, time
from pathlib import Path
from rosearch.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(1000)
"""


def test_who_waits_for_a_lock_says_for_whom_and_gives_up_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "_TELL_S", 0.1)
    monkeypatch.setattr(files, "_WAIT_S", 0.3)
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "teacher")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        try:
            expected = rf"pid {other.pid} \(.* has held the lock of .*teacher for "
            with pytest.raises(MachineFault, match=expected), locked(tmp_path / "teacher"):
                pass
            assert {f"teacher: waiting for pid {other.pid} (" in line for line in caplog.messages} == {True}
        finally:
            other.kill()
    with locked(tmp_path / "teacher"):
        assert lock_holder(tmp_path / "teacher.lock").startswith(f"pid {os.getpid()} (")


def test_a_lock_that_nobody_holds_has_no_holder(tmp_path: Path) -> None:
    (tmp_path / "free.lock").touch()
    for name in ("free.lock", "absent.lock"):
        assert lock_holder(tmp_path / name) == "another process"


def test_the_hash_of_a_file_is_that_of_its_content_and_follows_its_changes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert file_hash(path) == hashlib.blake2b(b"one", digest_size=16).hexdigest()
    path.write_bytes(b"other")
    assert file_hash(path) == hashlib.blake2b(b"other", digest_size=16).hexdigest()


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"read once")
    first = file_hash(path)
    monkeypatch.setattr(files.hashlib, "file_digest", None)  # calling it would fail
    assert file_hash(path) == first


def test_keys_are_those_of_earlier_versions() -> None:
    assert content_key(["1", "abc"]) == hashlib.blake2b(b"1\x1fabc", digest_size=16).hexdigest()
    assert content_key(["1", "abc"], "\x1e") == hashlib.blake2b(b"1\x1eabc", digest_size=16).hexdigest()
    assert content_key(["name\udcff"]) == hashlib.blake2b(b"name\xff", digest_size=16).hexdigest()


# Digests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three files, one of them in a folder of its own, and a model card."""
    with whole(tmp_path / "cache" / "kept") as draft:
        (draft / "inner").mkdir(parents=True)
        (draft / "config.json").write_text('{"labels": ["bad", "good"]}')
        (draft / "inner" / "weights").write_bytes(bytes(range(256)))
        (draft / "empty").touch()
        (draft / "README.md").write_text("# A card")
    return tmp_path / "cache" / "kept"


def test_a_folder_that_was_written_whole_is_undamaged(folder: Path) -> None:
    assert damage(folder) is None
    require_whole(folder, "")


@pytest.mark.parametrize("way", DAMAGES)
@pytest.mark.parametrize("name", ["config.json", "inner/weights"])
def test_a_damaged_file_is_named_with_what_to_do(name: str, way: str, folder: Path) -> None:
    DAMAGES[way](folder / name)
    with pytest.raises(BadInput, match=rf"{name}: damaged: expected what was written, got .*\. Make it again$"):
        require_whole(folder, "Make it again")


@pytest.mark.parametrize("way", ["emptied", "halved", "flipped"])
def test_damaged_digests_are_damage(way: str, folder: Path) -> None:
    DAMAGES[way](folder / DIGESTS)
    problem = damage(folder)
    assert (problem is not None and DIGESTS in problem.where + problem.got) or "config.json" in str(problem)


@pytest.mark.parametrize("name", ["config.json", "inner/weights"])
def test_each_single_bit_that_changes_is_found(name: str, folder: Path) -> None:
    path = folder / name
    before = path.read_bytes()
    for bit in range(8 * len(before)):
        flip(path, bit)
        assert damage(folder) is not None, bit
        path.write_bytes(before)
    assert damage(folder) is None


def test_a_bit_that_changes_in_the_digests_is_found_or_says_the_same(folder: Path) -> None:
    told = folder / DIGESTS
    before, digests = told.read_bytes(), files.stored_digests(told, files.stamp(told))
    for bit in range(0, 8 * len(before), 3):
        flip(told, bit)
        assert damage(folder) is not None or files.stored_digests(told, files.stamp(told)) == digests, bit
        told.write_bytes(before)


def test_the_place_of_a_change_in_a_large_file_is_named(tmp_path: Path) -> None:
    with whole(tmp_path / "large") as draft:
        draft.mkdir()
        (draft / "weights").write_bytes(os.urandom(5 * files.BLOCK // 2))
    flip(tmp_path / "large" / "weights", 8 * (files.BLOCK + 9))
    problem = damage(tmp_path / "large")
    assert problem is not None and problem.got == f"other bytes from byte {files.BLOCK} on"
    assert damage(tmp_path / "large", later=["weights"]) is None


def test_a_card_that_somebody_edits_and_files_that_somebody_adds_are_no_damage(folder: Path) -> None:
    (folder / "README.md").write_text("# My own card")
    (folder / "notes.txt").write_text("mine")
    assert damage(folder) is None


def test_a_file_is_compared_once_a_process_unless_it_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    compare = files._crc_blocks
    monkeypatch.setattr(files, "_crc_blocks", lambda path: (read.append(path.name), compare(path))[1])
    for _ in range(3):
        assert damage(folder) is None
    assert sorted(read) == ["config.json", "empty", "weights"]
    state = (folder / "config.json").stat()
    flip(folder / "config.json", 0)
    os.utime(folder / "config.json", ns=(state.st_atime_ns, state.st_mtime_ns))  # as a copy with its times
    assert damage(folder) is not None


def test_a_folder_without_digests_passes_and_is_told_once_where_it_is_ours(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / DIGESTS).unlink()
    require_whole(folder, "")
    assert caplog.messages == []
    for _ in range(3):
        require_whole(folder, "", ours=folder.parent)
    assert len(caplog.messages) == 1 and "carry no digests" in caplog.text and str(folder.parent) in caplog.text


def test_each_single_bit_of_a_sealed_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    write_whole(path, '{"a": 1}', sealed=True)
    before = path.read_bytes()
    assert content(path) == b'{"a": 1}'
    for bit in range(8 * len(before)):
        flip(path, bit)
        assert not files.is_sealed(path), bit
        path.write_bytes(before)


@pytest.mark.parametrize("way", DAMAGES)
def test_a_damaged_file_of_the_cache_is_made_again_and_said(
    way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "plans" / "abc.json"

    def read(path: Path) -> object:
        try:
            return json.loads(content(path))
        except (OSError, ValueError):
            return None

    for expected in (0, way != "deleted"):
        assert made_once(path, read, lambda draft: draft.write_text('{"a": [1, 2, 3]}')) == {"a": [1, 2, 3]}
        assert len(caplog.messages) == expected and all(str(path) in line for line in caplog.messages)
        DAMAGES[way](path)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_an_earlier_version_cached_is_used_and_told_once(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "plans" / "abc"
    inside = path / "facts" if kind == "folder" else path
    inside.parent.mkdir(parents=True)
    inside.write_text("old")
    for _ in range(2):
        assert made_once(path, lambda path: content(inside).decode(), lambda draft: None) == "old"
    assert [str(tmp_path) in line and "carry no digests" in line for line in caplog.messages] == [True]


def test_no_other_module_makes_drafts_locks_or_syncs_of_its_own() -> None:
    own = ("mkdtemp", "token_hex", "uuid4", "filelock", "fsync", "NamedTemporaryFile", "file_digest")
    package = Path(files.__file__).parent
    found = {
        f"{path.relative_to(package)}: {word}"
        for path in package.rglob("*.py")
        for word in own
        if path.name != "files.py" or path.parent != package
        if word in path.read_text(encoding="utf-8")
    }
    assert found == set()


# The modules that write files, by what keeps them safe: `whole` and its kin write digests, or nothing reads them again.
WRITERS = {
    "attack/measure.py": "a .gitignore, which git alone reads",
    "cli/init.py": "write_whole",
    "data/corpus.py": "made_once",
    "data/tokens.py": "made_once",
    "distil/teacher.py": "whole",
    "encodings/tokenizer.py": "made_once",
    "evaluation/attacks/engine/plan.py": "made_once",
    "evaluation/attacks/memory.py": "a digest before each line",
    "evaluation/contrast.py": "made_once",
    "evaluation/latency_table.py": "sealed",
    "evaluation/yardstick.py": "made_once",
    "export/gates.py": "write_whole",
    "export/targets/huggingface.py": "in_one_step",
    "export/targets/int8.py": "onnx_draft",
    "export/targets/transformersjs.py": "whole",
    "export/targets/onnx.py": "whole",
    "materials/made_resources.py": "whole",
    "materials/word_table.py": "made_once",
    "models/saved.py": "whole",
    "records/lock.py": "a name of a process, for people",
    "records/place.py": "a place, beside a word that the records hold too",
    "records/run_directory.py": "snapshots, whose digests stand in the records",
    "report/compare_files.py": "write_whole",
    "report/page.py": "write_whole",
    "run/ailments.py": "snapshots, whose digests stand in the records",
    "run/standing.py": "seal",
    "run/tracking/tracker.py": "write_whole",
    "run/tracking/wandb.py": "numbers, each on its line, of what a tracker was told",
    "run/backends/worker.py": "a setting of the system",
    "student/tokenization_rosearch.py": "a part of save_pretrained, into a folder of `models/saved.py`",
    "training/checkpoint.py": "seal",
    "training/masked_lm.py": "made_once",
    "training/outputs.py": "made_once",
    "training/static_vectors.py": "made_once",
    "training/teacher.py": "made_once",
}
# The modules that read files: through a door that compares digests, or what somebody else wrote.
READERS = {
    "attack/inputs.py": "a configuration alone, before `models/saved.py` compares the folder",
    "config/shipped.py": "files of the package",
    "config/places.py": "files of users, for the numbers of their lines",
    "config/plain_data.py": "files of users; the digests of a run's snapshots stand in the records",
    "data/corpus.py": "CheckedRows",
    "data/files.py": "data of users",
    "data/patterns.py": "data of users",
    "data/row_stream.py": "data of users",
    "data/text_files.py": "data of users",
    "data/tokens.py": "made_once",
    "encodings/apart.py": "files of the package",
    "encodings/tokenizer.py": "content",
    "evaluation/attacks/engine/plan.py": "content",
    "evaluation/attacks/memory.py": "a digest before each line",
    "evaluation/contrast.py": "content",
    "evaluation/heldout_files.py": "data of users",
    "evaluation/latency_table.py": "content",
    "evaluation/yardstick.py": "content",
    "evaluation/quiet_latency.py": "the teacher, which the driver has compared; files of the system",
    "export/card.py": "files of the package",
    "export/evidence.py": "the model card, which is for people to edit",
    "export/facts.py": "require_undamaged",
    "export/gates.py": "require_undamaged",
    "export/fresh.py": "code of a folder that `export/verification.py` has compared",
    "export/targets/huggingface.py": "require_undamaged",
    "export/texts.py": "a tokenizer, of a folder that `export/facts.py` has compared; files of the package",
    "export/verification.py": "damages",
    "materials/first_look.py": "a configuration alone, before `models/saved.py` compares the folder",
    "materials/word_table.py": "made_once",
    "models/device.py": "files of the system",
    "models/parts.py": "nothing: it asks transformers without a folder",
    "models/saved.py": "require_undamaged",
    "models/weights.py": "headers alone; `models/saved.py` compares the folder",
    "records/beginning.py": "snapshots, compared with those in the records",
    "records/lock.py": "a name of a process, for people; a table of the system",
    "records/place.py": "a place, beside a word that the records hold too",
    "records/run_directory.py": "require_whole",
    "run/ailments.py": "snapshots, compared with those in the records",
    "run/standing.py": "is_sealed",
    "run/tracking/tracker.py": "a word that stands for a run in a tracker",
    "run/tracking/wandb.py": "numbers, each on its line, of what a tracker was told",
    "run/backends/environment.py": "a table of the system",
    "report/beside.py": "as report/sections.py",
    "report/compare.py": "as report/sections.py",
    "report/notebook.py": "the style sheet of the package",
    "report/sections.py": "snapshots, which opening a run has compared with those in the records",
    "resources/functions.py": "modules of users, whose digest the records name",
    "resources/reading.py": "resources of users",
    "resources/sentence_encoder.py": "models of users",
    "resources/vectors.py": "resources of users",
    "resources/word_lists.py": "files of the package",
    "student/tokenization_rosearch.py": "a part of from_pretrained, from a folder that `models/saved.py` has compared",
    "training/checkpoint.py": "is_sealed",
    "training/masked_lm.py": "made_once",
    "training/outputs.py": "CheckedRows",
    "training/teacher.py": "made_once",
}
_WRITING = {"write_text", "write_bytes", "write_whole", "save_pretrained", "open_memmap", "save_file"}
_WRITING |= {"copyfile", "copytree", "copy2"}
_READING = {"read_text", "read_bytes", "content", "memmap", "from_pretrained", "from_file", "safe_open"}
_READING |= {"read_parquet", "read_csv"}


def _modules(does: Callable[[ast.Call], bool]) -> set[str]:
    """The modules of the package, but `files.py`, with such a call."""
    package = Path(files.__file__).parent
    return {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if path != Path(files.__file__)
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and does(call)
    }


def _writes(call: ast.Call) -> bool:
    *owner, name = ast.unparse(call.func).rsplit(".", 1)
    if name == "open":  # with a mode that writes
        given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
        modes = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        return any(set(mode) <= set("rwaxbt+") and set(mode) & set("wax+") for mode in modes)
    return name in _WRITING or (name == "save" and owner in (["np"], ["torch"]))


def _reads(call: ast.Call) -> bool:
    *owner, name = ast.unparse(call.func).rsplit(".", 1)
    if name == "open" and not _writes(call):
        return owner in (["path"], ["self.path"], ["tarfile"])
    return (name in _READING and owner != ["method"]) or (name == "load" and owner in (["np"], ["torch"]))


def test_every_module_that_writes_files_says_what_keeps_them_safe() -> None:
    assert _modules(_writes) == set(WRITERS)


def test_every_module_that_reads_files_goes_through_a_door_that_compares_or_reads_what_others_wrote() -> None:
    assert _modules(_reads) == set(READERS)


@pytest.mark.parametrize("module", sorted({*WRITERS, *READERS}))
def test_a_module_that_names_its_door_uses_it(module: str) -> None:
    code = (Path(files.__file__).parent / module).read_text(encoding="utf-8")
    doors = {kept[module] for kept in (WRITERS, READERS) if module in kept and kept[module].isidentifier()}
    assert all(f"{door}(" in code or f"{door}=" in code for door in doors)
