"""A folder is loaded by stock transformers alone, and code that is not ours is named before it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from export.saved_student import FACTS

from rosearch.errors import BadInput
from rosearch.export.evidence import read_evidence
from rosearch.export.fresh import ask_fresh_process, foreign_code
from rosearch.export.targets.huggingface import export_student


def test_a_student_is_asked_in_a_process_that_cannot_import_rosearch(
    student: Path, encoded_tokenizer: Path, tmp_path: Path
) -> None:
    folder = export_student(student, encoded_tokenizer, tmp_path / "out", FACTS)
    evidence = read_evidence(folder)
    assert evidence is not None and evidence.encoding is not None
    found = ask_fresh_process(folder, evidence.texts, trusted=True)
    np.testing.assert_allclose(found, evidence.logits, atol=1e-5)
    assert foreign_code(folder) == []
    (folder / "operations.py").write_text("raise SystemExit('run')")
    (folder / "mine.py").touch()
    assert foreign_code(folder) == ["mine.py", "operations.py"]


def test_what_does_not_load_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rosearch.export.fresh._ASKING", "raise ValueError('a first\\nand a last line')")
    with pytest.raises(BadInput, match="loads without rosearch, got and a last line"):
        ask_fresh_process(tmp_path, [("a",)], trusted=False)
    monkeypatch.setattr("rosearch.export.fresh._ASKING", "import time; time.sleep(60)")
    monkeypatch.setattr("rosearch.export.fresh._SECONDS", 0.2)
    with pytest.raises(BadInput, match="expected a model that loads, got nothing"):
        ask_fresh_process(tmp_path, [("a",)], trusted=False)
