"""A search with a teacher as XLM-R is: SentencePiece, padding 1, positions behind it, no token types."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import rosearch
from small_multilingual import write_multilingual_experiment, write_topics
from small_run import Quiet
from transformers import AutoModel, AutoTokenizer

from rosearch.config.file import load_experiment
from rosearch.data.corpus import prepare_corpus
from rosearch.errors import BadInput
from rosearch.materials.encoder import find_encoder
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results
from rosearch.search import cache_folder, run_search

OBJECTIVES: dict[str, dict[str, Any]] = {
    "hidden_states": {"objective": "hidden_states"},
    "relations": {"objective": "relations", "relation_heads": 4},
}


@pytest.fixture(scope="module", params=["hidden_states", pytest.param("relations", marks=pytest.mark.slow)])
def searched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp(request.param)
    path = write_multilingual_experiment(folder, distillation={"encoder": OBJECTIVES[request.param], "epochs": 2})
    return run_search(RunDirectory.create(folder / "runs", load_experiment(path)), Quiet())


@pytest.fixture
def encoder(searched: Results) -> Path:
    return searched.run.student_folder(searched.retrained(searched.best()))


def test_every_encoder_is_distilled_and_the_winner_on_all_the_text(searched: Results) -> None:
    assert searched.finished and len(searched.measured("candidate")) == 4
    (finalist,) = searched.measured("finalist")
    assert finalist.id == searched.best().id
    for record in (*searched.measured("candidate"), finalist):
        assert record.measurements is not None and 0 < record.measurements.quality.value < 1


def test_encoders_have_the_teachers_words_and_padding_and_as_many_positions_as_a_text_has(encoder: Path) -> None:
    student = AutoModel.from_pretrained(encoder)
    config = student.config
    assert (config.pad_token_id, config.max_position_embeddings, config.type_vocab_size) == (1, 32, 1)
    longest = torch.full((1, 32), 7)
    assert torch.isfinite(student(input_ids=longest).last_hidden_state).all()


def test_padding_changes_nothing(searched: Results, encoder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(searched.run.tokenizer)
    student = AutoModel.from_pretrained(encoder).eval()
    both = tokenizer(["die Insel war sehr nahe", "这是很近的岛屿和山脉 die Insel"], padding=True, return_tensors="pt")
    assert set(both) == {"input_ids", "attention_mask"} and 1 in both["input_ids"]
    alone = tokenizer(["die Insel war sehr nahe"], return_tensors="pt")
    tokens = alone["input_ids"].shape[1]
    padded = student(**both).last_hidden_state[0, :tokens]
    assert torch.allclose(padded, student(**alone).last_hidden_state[0], atol=1e-5)


def test_blocks_hold_neither_padding_nor_words_that_the_tokenizer_does_not_know(searched: Results) -> None:
    experiment = searched.experiment
    _, config, tokenizer = find_encoder(experiment)
    assert experiment.corpus is not None
    corpus = prepare_corpus(experiment.corpus, tokenizer, config.vocab_size, cache_folder(searched.run))
    blocks = corpus.read(corpus.numbers("train", np.arange(corpus.size("train"))))
    assert (blocks[:, 0] == 0).all() and (blocks[:, -1] == 2).all()
    assert not (blocks == 1).any() and not (blocks == 3).any()


def test_the_best_is_recommended_and_exported_for_a_process_without_rosearch(
    searched: Results, encoder: Path, tmp_path: Path
) -> None:
    shown = rosearch("recommend", searched.run.path, "--latency-ms", "100000", cwd=tmp_path).stdout
    timed = [record for record in searched.measured("candidate") if record.measurements is not None]
    assert max(timed, key=lambda record: record.measurements.quality.value).id[:8] in shown  # whatever their latencies
    rosearch("export", searched.run.path, "--best", "--to", tmp_path / "out", cwd=tmp_path)
    code = (
        "import sys; sys.modules['rosearch'] = None\n"
        "from transformers import AutoModel, AutoTokenizer\n"
        f"tokenizer = AutoTokenizer.from_pretrained({str(tmp_path / 'out')!r}, trust_remote_code=True)\n"
        f"model = AutoModel.from_pretrained({str(tmp_path / 'out')!r}, trust_remote_code=True).eval()\n"
        "ids = tokenizer(['το νησί', '这是岛屿和山脉'], padding=True, return_tensors='pt')\n"
        "print(model(**ids).last_hidden_state[:, 0].sum().item())\n"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hub"), "PYTHONPATH": ""}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ids = AutoTokenizer.from_pretrained(searched.run.tokenizer)(
        ["το νησί", "这是岛屿和山脉"], padding=True, return_tensors="pt"
    )
    expected = AutoModel.from_pretrained(encoder).eval()(**ids).last_hidden_state[:, 0].sum().item()
    assert float(done.stdout) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("searched", ["hidden_states"], indirect=True)
def test_an_encoder_learns_a_task_in_english_and_is_asked_in_every_language(encoder: Path, tmp_path: Path) -> None:
    task = write_topics(tmp_path / "data")
    with_data = ("--task", task, "--data-root", task.parent)
    rosearch("distil", "--student", encoder, *with_data, "--to", tmp_path / "out", cwd=tmp_path)
    suite = ("--suite", task.parent / "topics.tar.xz/{eng_Latn,deu_Latn,zho_Hans}/test.tsv", "--label", "category")
    (found,) = rosearch("attack", tmp_path / "out", *suite, "--json", cwd=tmp_path).data["models"][0]["held_out"]
    assert found["name"] == "topics" and found["overall"]["n"] == 120
    assert {name: group["n"] for name, group in found["groups"].items()} == dict.fromkeys(
        ("eng_Latn", "deu_Latn", "zho_Hans"), 40
    )
    accuracy = {name: group["accuracy"] for name, group in found["groups"].items()}
    assert accuracy["eng_Latn"]["low"] > 0.5  # Wilson's interval leaves guessing out
    assert found["worst_group"] != "eng_Latn" and found["overall"]["consistency"] is None
    shown = rosearch("attack", tmp_path / "out", *suite, cwd=tmp_path).stdout
    assert all(language in shown for language in accuracy)


def test_blocks_longer_than_the_texts_that_the_teacher_numbers_are_refused(tmp_path: Path) -> None:
    path = write_multilingual_experiment(tmp_path, corpus={"block_length": 33})  # of its 34 rows two serve no text
    with pytest.raises(BadInput, match=r"corpus\.block_length: expected at most 32"):
        run_search(RunDirectory.create(tmp_path / "runs", load_experiment(path)), Quiet())
