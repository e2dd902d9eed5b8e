from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_run import write_encoder_experiment

from rosearch.config.file import load_experiment
from rosearch.materials.encoder_trial import CorpusTrial, encoders_in_words
from rosearch.materials.trial import Trial
from rosearch.run.check import estimate_time

TRIAL = Trial(teacher=0.01, student=0.002, training=0.03)


def test_a_search_for_encoders_is_estimated_from_the_beginning_of_its_files(tmp_path: Path) -> None:
    experiment = load_experiment(write_encoder_experiment(tmp_path))
    told = estimate_time(experiment)["estimate"]
    assert re.match(r"about \d+ s with 1 at a time \(corpus \d+ s, 3 students of \d+ s, 1 trainings of finalists", told)
    words = 60 * 40  # each is one token
    assert abs(int(re.search(r"about ([\d,]+) blocks of text", told)[1].replace(",", "")) - words / 14) <= 50  # type: ignore[index]


@pytest.mark.parametrize(
    ("changes", "students", "finalists"),
    [
        ({}, "3 students of 42 s", "1 trainings of finalists of 82 s"),  # 1,000 and 2,000 blocks of 40 ms; 200 judged
        ({"distillation": {"max_steps": 10}}, "3 students of 9 s", "1 trainings of finalists of 9 s"),
        ({"finalists": {"count": 0}}, "3 students of 42 s", "; estimated"),
    ],
)
def test_students_learn_from_the_proxy_and_finalists_from_all_but_what_is_held_out(
    changes: dict[str, dict[str, int]], students: str, finalists: str, tmp_path: Path
) -> None:
    held_out = {"held_out_blocks": 200, "proxy_share": 0.5}
    experiment = load_experiment(write_encoder_experiment(tmp_path, corpus=held_out, **changes))
    told = encoders_in_words(experiment, CorpusTrial(2200, 5), TRIAL)
    assert f"(corpus 5 s, {students}" in told and finalists in told and told.endswith("about 2,200 blocks of text")


def test_the_beginning_of_a_long_file_stands_for_the_rest(tmp_path: Path) -> None:
    path = write_encoder_experiment(tmp_path)
    paragraph = " ".join(["good film"] * 20)
    (tmp_path / "corpus.txt").write_text(f"{paragraph}\n" * 40_000)
    told = estimate_time(load_experiment(path))["estimate"]
    blocks = int(re.search(r"about ([\d,]+) blocks of text", told)[1].replace(",", ""))  # type: ignore[index]
    assert abs(blocks / (40_000 * 40 / 14) - 1) < 0.2  # the file is read ahead, a buffer at a time


def test_a_dataset_of_the_hub_has_no_estimate_and_says_why(tmp_path: Path) -> None:
    path = write_encoder_experiment(tmp_path, corpus={"sources": [{"hub": "some/texts"}]})
    told = estimate_time(load_experiment(path))["estimate"]
    assert told == "none: how much text a dataset of the hub holds is known once it has been read"
