from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from damaged_files import flip

from rosearch.data.mapped import CheckedRows
from rosearch.errors import DamagedError
from rosearch.files import BLOCK, DIGESTS, damage, whole

ROWS, LENGTH = 1000, 100  # 400 bytes a row: six blocks and a half, and rows that lie in two


def write(folder: Path, rows: int = ROWS, length: int = LENGTH) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    values = np.random.default_rng(0).normal(size=(rows, length)).astype(np.float32)
    with whole(folder) as draft:
        draft.mkdir()
        np.save(draft / "values.npy", values)
    return values


def opened(folder: Path) -> CheckedRows:
    return CheckedRows(np.load(folder / "values.npy", mmap_mode="r"))


@pytest.mark.parametrize("shape", [(ROWS, LENGTH), (3, 50_000), (ROWS, 1)])
def test_rows_are_those_of_the_array_whether_they_share_blocks_or_span_them(
    shape: tuple[int, int], tmp_path: Path
) -> None:
    values = write(tmp_path / "kept", *shape)
    rows = opened(tmp_path / "kept")
    assert len(rows) == shape[0] and rows.shape == shape
    assert np.array_equal(rows[np.array([2, 0, 2])], values[[2, 0, 2]])
    assert np.array_equal(rows[1:3], values[1:3])
    assert rows[np.array([], np.int64)].shape == (0, shape[1])


@pytest.mark.parametrize("row", [0, 163, 500, ROWS - 1])
def test_a_changed_bit_is_found_when_its_row_is_read(row: int, tmp_path: Path) -> None:
    write(tmp_path / "kept")
    path = tmp_path / "kept" / "values.npy"
    flip(path, 8 * (path.stat().st_size - (ROWS - row) * LENGTH * 4) + 77)
    assert damage(tmp_path / "kept", later=["values.npy"]) is None
    with pytest.raises(DamagedError, match=r"values\.npy"):
        opened(tmp_path / "kept")[np.array([row])]
    assert not path.exists()  # whoever asks for it next makes it anew


def test_only_the_blocks_that_hold_rows_are_compared_and_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rosearch.data import mapped

    compared: list[int] = []
    crc32 = mapped.crc32
    monkeypatch.setattr(mapped, "crc32", lambda block: (compared.append(len(block)), crc32(block))[1])
    write(tmp_path / "kept")
    for _ in range(2):  # a second opening in one process too
        rows = opened(tmp_path / "kept")
        rows[np.array([1, 2, 3])]
        rows[np.array([ROWS - 1])]
    assert compared == [BLOCK, (tmp_path / "kept" / "values.npy").stat().st_size % BLOCK]


def test_damage_elsewhere_does_not_disturb(tmp_path: Path) -> None:
    values = write(tmp_path / "kept")
    flip(tmp_path / "kept" / "values.npy", 8 * 3 * BLOCK)
    assert np.array_equal(opened(tmp_path / "kept")[np.array([5])], values[[5]])


def test_rows_of_an_earlier_version_are_read_without_digests(tmp_path: Path) -> None:
    values = write(tmp_path / "kept")
    (tmp_path / "kept" / DIGESTS).unlink()
    assert np.array_equal(opened(tmp_path / "kept")[:], values)


def test_a_file_that_another_process_has_made_anew_meanwhile_is_left(tmp_path: Path) -> None:
    write(tmp_path / "kept")
    path = tmp_path / "kept" / "values.npy"
    flip(path, 8 * 500)
    rows = opened(tmp_path / "kept")
    (tmp_path / "new").write_bytes(b"made anew")
    (tmp_path / "new").replace(path)
    with pytest.raises(DamagedError):
        rows[np.array([0])]
    assert path.read_bytes() == b"made anew"
