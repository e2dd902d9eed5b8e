from __future__ import annotations

from pathlib import Path

import pytest
from command_line import rosearch
from safetensors.torch import load_file
from small_run import write_experiment
from transformers import AutoConfig, BertModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An experiment whose teacher is only pretrained."""
    write_experiment(tmp_path, "classification", teacher={"fine_tune": {"epochs": 1, "batch_size": 16}})
    BertModel.from_pretrained(tmp_path / "teacher").save_pretrained(tmp_path / "teacher")
    return tmp_path


def test_a_fine_tuned_teacher_gets_a_folder_that_every_command_takes(folder: Path) -> None:
    printed = rosearch("teacher", "experiment.yaml", "--to", "mine", cwd=folder)
    assert f"Saved to {folder / 'mine'}, fine-tuned; it is kept in" in printed.stdout
    assert "teacher: done" in printed.stderr
    assert AutoConfig.from_pretrained(folder / "mine").id2label == {0: "negative", 1: "positive"}
    again = rosearch("teacher", "experiment.yaml", "--to", "again", "--json", cwd=folder)
    assert "teacher: done" not in again.stderr and again.data["fine_tuned"]  # it is fine-tuned once
    mine, other = (load_file(folder / name / "model.safetensors") for name in ("mine", "again"))
    assert mine.keys() == other.keys() and all(mine[name].equal(other[name]) for name in mine)
    assert "mine, fine-tuned" in rosearch("check", "experiment.yaml", "-o", "teacher.model=mine", cwd=folder).stdout
    attacked = ("attack", "mine", "--attack", "deepwordbug", "--task", "experiment.yaml", "--n", "4")
    assert rosearch(*attacked, "--json", cwd=folder).data["models"][0]["worst"]["n"] == 4


def test_a_distillation_tells_and_records_where_its_teacher_is_kept(folder: Path) -> None:
    student = ("--student", "bert_mini", "--task", "experiment.yaml", "--to", "out")
    printed = rosearch("distil", *student, cwd=folder)
    assert "rosearch teacher experiment.yaml --to DIR --cache .rosearch" in printed.stdout
    saved = rosearch("teacher", "experiment.yaml", "--to", "mine", "--cache", ".rosearch", "--json", cwd=folder).data
    kept = Path(saved["kept"])
    again = rosearch("distil", *student[:-1], "again", "--json", cwd=folder).data
    assert kept == folder / ".rosearch" / again["teacher"]["folder"]
    own = rosearch("distil", *student[:-1], "own", "--teacher", "mine", "--json", cwd=folder).data
    assert own["teacher"]["folder"] == "" and own["teacher"]["fingerprint"] == again["teacher"]["fingerprint"]


def test_a_cache_that_is_a_file_is_one_line(folder: Path) -> None:
    cache = ("--cache", "experiment.yaml/below")
    printed = rosearch("teacher", "experiment.yaml", "--to", "other", *cache, cwd=folder, expect=3)
    assert printed.stderr.endswith("--cache: expected a folder, got a file experiment.yaml\n")
    assert not (folder / "other").exists()


def test_a_folder_that_is_there_is_not_replaced(folder: Path) -> None:
    assert "exists already" in rosearch("teacher", "experiment.yaml", "--to", "data", cwd=folder, expect=5).stderr
