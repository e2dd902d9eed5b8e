"""An export says what it answered when it was written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from export.exported import exported

from rosearch.errors import BadInput
from rosearch.export.destination import EVIDENCE
from rosearch.export.evidence import card_digest, encoding_digest, read_evidence
from rosearch.export.facts import read_facts
from rosearch.export.runners import open_runner


@pytest.mark.parametrize("texts", [1, 2])
def test_the_recorded_logits_are_those_of_the_recorded_texts(texts: int, tmp_path: Path) -> None:
    folder = exported(tmp_path, texts=texts)
    evidence = read_evidence(folder)
    assert evidence is not None and len(evidence.texts) > 3 and {len(row) for row in evidence.texts} == {texts}
    got = open_runner(folder, "hf", read_facts(folder)).logits(list(evidence.texts))
    np.testing.assert_allclose(got, evidence.logits, atol=1e-6)


def test_the_figures_are_those_of_the_card_and_words_that_are_encoded_have_a_digest(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    evidence = read_evidence(folder)
    assert evidence is not None and evidence.card == card_digest(folder) and evidence.encoding is None
    assert any("83.0 %" in line for line in evidence.figures)
    (tmp_path / "encoding.json").write_text('{"words": {"a": 1}, "tokenizer": {}}')
    first = encoding_digest(tmp_path)
    (tmp_path / "encoding.json").write_text('{"words": {"a": 2}, "tokenizer": {}}')
    assert first != encoding_digest(tmp_path) != encoding_digest(folder)


def test_an_older_export_has_none_and_a_torn_one_is_one_clear_line(tmp_path: Path) -> None:
    assert read_evidence(tmp_path) is None and card_digest(tmp_path) == ""
    path = tmp_path / EVIDENCE
    path.write_text(json.dumps({"examples": []}))
    with pytest.raises(BadInput, match=r"evidence.json: damaged: .* a file without its 'encoding'"):
        read_evidence(tmp_path)
