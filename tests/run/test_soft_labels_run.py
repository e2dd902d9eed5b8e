"""A search and a distillation by soft labels from a file, from end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import rosearch
from small_run import write_experiment

LABELS = ("negative", "positive")


def write_soft_labels(folder: Path) -> None:
    """The votes of three readers, each with words of praise of its own, on the rows of the training file alone."""
    frame = pd.read_csv(folder / "data" / "train.tsv", sep="\t").drop_duplicates("text")
    readers = (("good", "bright"), ("bright", "clever"), ("good", "bright", "clever"))
    share = frame["text"].map(lambda text: sum(any(word in text for word in praised) for praised in readers) / 3)
    frame.assign(negative=1 - share, positive=share).drop(columns="label").to_parquet(folder / "labels.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("soft")
    write_experiment(folder, "classification", finalists={"count": 1}, evolution={"candidates": 3, "population": 2})
    text = (folder / "experiment.yaml").read_text().splitlines()
    place = text.index("teacher:")
    text[place + 1] = "  outputs: labels.parquet\n  tokenizer: teacher"
    (folder / "experiment.yaml").write_text("\n".join(text) + "\n")
    write_soft_labels(folder)
    return folder


def command(folder: Path, *words: str, expect: int = 0) -> Any:
    return rosearch(*words, cwd=folder, expect=expect)


def test_a_search_by_soft_labels_ends_in_an_export_that_says_so(folder: Path, tmp_path: Path) -> None:
    told = command(folder, "check", "experiment.yaml").stdout
    assert "soft labels" in told and "labels.parquet" in told
    command(folder, "search", "experiment.yaml", "--runs", str(tmp_path / "runs"))
    run = str(tmp_path / "runs" / "small-0001")
    status = json.loads(command(folder, "status", run, "--json").stdout)
    facts = status["teacher"]
    assert facts["called"] == "soft labels" and facts["robustness"] is None
    assert facts["cost"]["parameters"] == 109_483_778  # BERT-base with a head of two classes
    assert "whose own quality is that of" in facts["notes"][0]
    shown = command(folder, "status", run).stdout
    assert "soft labels" in shown and "than BERT-base, keeps" in shown and "(the soft labels " in shown
    assert "()" not in shown
    command(folder, "resume", run)
    command(folder, "export", run, "--best", "--to", str(tmp_path / "out"))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "A student of `soft labels in labels.parquet`" in card and "against BERT-base" in card
    assert "the teacher" not in card.split("## Architecture")[0]
    command(folder, "report", run)


def test_one_student_is_distilled_by_soft_labels(folder: Path, tmp_path: Path) -> None:
    words = ("distil", "--student", "bert_mini", "--task", "experiment.yaml", "--to", str(tmp_path / "out"))
    record = json.loads(command(folder, *words, "--test", "--json").stdout)
    assert record["teacher"]["called"] == "soft labels" and record["teacher"]["outputs"] == "labels.parquet"
    assert record["quality"]["validation"]["teacher"]["n"] == 24
    assert record["meaning"]["teacher"] is None and record["meaning"]["student"]["contrast"] is None
    assert record["compression"]["teacher"] == pytest.approx(record["compression"]["bert_base"], rel=1e-4)


REFUSED = {
    "a method that reads more than outputs": ("distillation.method=mate_kd", "distillation.method: expected a method"),
    "hidden states": ("distillation.method=hidden_states", "distillation.method: expected a method"),
    "a reward": ("fitness.reward={}", "fitness.reward: expected nothing beside teacher.outputs"),
    "contrasts": ("fitness.min_contrast=0.5", "fitness.min_contrast: expected 0 beside teacher.outputs"),
    "a model besides": ("teacher.model=teacher", "teacher.outputs: expected none beside model"),
    "no tokenizer": ("teacher={outputs: labels.parquet}", "teacher.tokenizer: expected a pretrained encoder"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_a_teacher_that_can_be_asked_is_one_line(name: str, folder: Path) -> None:
    setting, told = REFUSED[name]
    printed = command(folder, "check", "experiment.yaml", "-o", setting, expect=3)
    assert told in printed.stderr and "Traceback" not in printed.stderr


def test_sources_that_ask_and_bad_answers_are_told_together(folder: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(folder / "labels.parquet")
    frame.loc[frame.index[:2], "positive"] = 0.7
    frame.to_parquet(tmp_path / "wrong.parquet")
    sources = "distillation.robust_kd.sources=[characters, other_words]"
    more = ("-o", f"teacher.outputs={tmp_path / 'wrong.parquet'}", "-o", "distillation.method=robust_kd", "-o", sources)
    told = command(folder, "check", "experiment.yaml", *more, expect=3).stderr
    assert "expected sources that ask no teacher beside teacher.outputs" in told
    assert "probabilities that sum to 1 in each row" in told and "rows 1, 2" in told


def test_columns_whose_names_were_exchanged_are_refused(folder: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(folder / "labels.parquet")
    frame.rename(columns=dict(zip(LABELS, reversed(LABELS)))).to_parquet(tmp_path / "turned.parquet")
    more = ("-o", f"teacher.outputs={tmp_path / 'turned.parquet'}")
    told = command(folder, "check", "experiment.yaml", *more, expect=3).stderr
    assert "its classes stand in another order" in told and "In the order positive, negative" in told


def test_layers_of_a_teacher_that_is_none_are_refused(folder: Path, tmp_path: Path) -> None:
    words = ("distil", "--student", "layers:0", "--task", "experiment.yaml", "--to", str(tmp_path / "out"))
    assert (
        "teacher.model: expected a teacher, whose layers make the student" in command(folder, *words, expect=3).stderr
    )
    assert (
        "expected a teacher, to be saved"
        in command(folder, "teacher", "experiment.yaml", "--to", str(tmp_path / "saved"), expect=3).stderr
    )
