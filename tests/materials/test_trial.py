from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from small_run import write_experiment

from rosearch.config.file import load_experiment
from rosearch.materials.trial import Trial, in_words
from rosearch.run.check import estimate_time

TRIAL = Trial(teacher=0.01, student=0.001, training=0.004)


@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_an_estimate_is_made_of_trial_steps_and_leaves_the_generators_as_they_were(
    problem: str, tmp_path: Path
) -> None:
    experiment = load_experiment(write_experiment(tmp_path, problem))
    before = torch.random.get_rng_state()
    told = estimate_time(experiment)["estimate"]
    assert re.match(r"about \d+ s with 1 at a time \(teacher \d+ s, 7 students of \d+ s\)", told)
    assert "estimated from a trial step of each on this machine" in told
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_search_takes_its_students_its_finalists_and_its_teacher(tmp_path: Path) -> None:
    changes = {"distillation": {"epochs": 10, "max_steps": None, "batch_size": 10}, "execution": {"workers": 2}}
    experiment = load_experiment(write_experiment(tmp_path, "classification", **changes, finalists={"count": 2}))
    # 10 epochs of 1,000 rows at 4 ms, and 4 attacked rows of 40 queries at 1 ms; finalists, and the teacher beside
    # them, meet two attacks, of 40 and of 200 queries.
    told = in_words(experiment, 1000, True, TRIAL)
    assert "7 students of 40 s, 2 trainings of finalists of 41 s" in told
    assert told.startswith("about 3 min with 2 at a time (teacher 21 s, ")
    assert "6 min of a device or processor in all" in told
    tuned = in_words(experiment, 1000, False, TRIAL)
    assert "(teacher 102 s" in tuned.replace("2 min", "102 s")


def test_a_method_that_does_more_is_said_to_take_longer(tmp_path: Path) -> None:
    experiment = load_experiment(write_experiment(tmp_path, "classification", distillation={"method": "robust_kd"}))
    assert in_words(experiment, 100, True, TRIAL).endswith("robust_kd takes longer than plain distillation")
