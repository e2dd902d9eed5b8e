"""The facts of an exported folder are read from its JSON files alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from export.exported import TEMPERATURE, exported
from export.saved_student import FACTS

from rosearch.errors import BadInput
from rosearch.export.destination import EVIDENCE
from rosearch.export.facts import Facts, read_facts
from rosearch.files import DIGESTS


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    (path.parent / DIGESTS).unlink(missing_ok=True)


def test_labels_lengths_and_temperature_are_those_of_the_export(tmp_path: Path) -> None:
    facts = read_facts(exported(tmp_path))
    assert facts == Facts(FACTS.labels, FACTS.max_length, 0, "right", 1, TEMPERATURE, encoded=False)
    assert not facts.is_regression


def test_an_older_export_takes_its_temperature_from_the_record_of_its_distillation(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    (folder / EVIDENCE).unlink()
    (folder / DIGESTS).unlink()
    assert read_facts(folder).temperature is None and read_facts(folder).texts is None
    record = {"quality": {"validation": {"student": {"calibration": {"temperature": 1.5}}}}}
    (folder / "distillation.json").write_text(json.dumps(record))
    assert read_facts(folder).temperature == 1.5
    (folder / "distillation.json").write_text('{"quality": null}')
    assert read_facts(folder).temperature is None


def test_labels_that_transformers_leaves_out_are_its_own_default(tmp_path: Path) -> None:
    folder = exported(tmp_path, labels=("LABEL_0", "LABEL_1"))
    assert "id2label" not in json.loads((folder / "config.json").read_text())
    assert read_facts(folder).labels == ("LABEL_0", "LABEL_1")


def test_what_is_no_classifier_or_was_changed_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected an exported folder, got no folder"):
        read_facts(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"config.json: expected a JSON file of an export, got no such file"):
        read_facts(tmp_path)
    folder = exported(tmp_path)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config + " ")
    with pytest.raises(BadInput, match=r"config.json: damaged"):
        read_facts(folder)
    (folder / "config.json").write_text(config)
    edit(folder / "config.json", architectures=["BertModel"])
    with pytest.raises(BadInput, match="expected a sequence classifier, got BertModel"):
        read_facts(folder)
