from __future__ import annotations

from pathlib import Path

import pytest

from rosearch.evaluation.attacks.memory import AttackMemory
from rosearch.evaluation.attacks.result import AttackedRow

ROWS = {
    0: AttackedRow("survived", ("a good film",), 12, 10, 3, 0, 0.1 + 0.2),
    3: AttackedRow("broken", ("füße", "line\u2028break\n"), 5, 5, 4, 1, 0.9, ((2, "gôod"), (0, "")), 0.87),
    7: AttackedRow("error", ("x\ud800",), 1, 1, 1, 0, 0.5, complaint='ValueError: "no"'),
}


def kept(folder: Path) -> Path:
    memory = AttackMemory.open(folder, "model")
    for place, row in ROWS.items():
        memory.keep("attack", place, row)
    memory.close()
    (path,) = folder.rglob("*.jsonl")
    return path


def test_rows_are_read_back_as_they_were(tmp_path: Path) -> None:
    kept(tmp_path)
    memory = AttackMemory.open(tmp_path, "model")
    assert memory.rows("attack") == ROWS and memory.rows("another attack") == {}
    assert AttackMemory.open(tmp_path, "another model").rows("attack") == {}


@pytest.mark.parametrize("cut", [1, 20, 150])
def test_half_a_line_is_no_row_and_does_not_spoil_the_next(cut: int, tmp_path: Path) -> None:
    path = kept(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    memory = AttackMemory.open(tmp_path, "model")
    memory.keep("attack", 9, ROWS[0])
    assert memory.rows("attack") == {place: ROWS[place] for place in (0, 3)} | {9: ROWS[0]}


def test_a_row_of_which_a_bit_changed_is_forgotten_and_no_other(tmp_path: Path) -> None:
    path = kept(tmp_path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        memory = AttackMemory.open(tmp_path, "model")
        found = memory.rows("attack")
        memory.close()
        assert found.items() <= ROWS.items() and len(found) >= len(ROWS) - 2


def test_one_process_at_a_time_remembers(tmp_path: Path) -> None:
    kept(tmp_path)
    first, second = AttackMemory.open(tmp_path, "model"), AttackMemory.open(tmp_path, "model")
    second.keep("attack", 9, ROWS[0])
    assert second.rows("attack") == {} and first.rows("attack") == ROWS


def test_what_is_forgotten_is_gone_from_the_disk(tmp_path: Path) -> None:
    kept(tmp_path)
    AttackMemory.open(tmp_path, "model").forget()
    assert not list(tmp_path.rglob("*.jsonl"))
