from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from rosearch.errors import BadInput
from rosearch.resources.vectors import read_vectors

LINES = "film 0.5 -1.25 3\nmovie 0.25 1 2e-1\n"


def test_plain_and_zipped_vectors_read_alike(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(LINES)
    with zipfile.ZipFile(tmp_path / "v.txt.zip", "w") as archive:
        archive.writestr("v.txt", LINES)
        archive.writestr("__MACOSX/._v.txt", "of another system")
    plain, zipped = read_vectors(tmp_path / "v.txt"), read_vectors(tmp_path / "v.txt.zip")
    assert plain.words == zipped.words == ("film", "movie")
    assert plain.matrix.dtype == np.float32
    np.testing.assert_array_equal(plain.matrix, zipped.matrix)
    np.testing.assert_array_equal(plain.matrix[0], np.array([0.5, -1.25, 3], np.float32))


@pytest.mark.parametrize("content", ["", "film 1 2\nmovie 1\n", "film one two\n"])
def test_lines_that_are_no_vectors_of_one_width_are_one_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "v.txt").write_text(content)
    with pytest.raises(BadInput, match="expected lines of a word and its numbers"):
        read_vectors(tmp_path / "v.txt")
