from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from small_run import write_experiment

from rosearch.config.file import load_experiment
from rosearch.data.loading import load_task
from rosearch.distil import student as module
from rosearch.distil.inputs import find_student
from rosearch.errors import DamagedError
from rosearch.models.saved import save_whole
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import build_student


def test_damage_to_the_cache_that_is_found_on_the_way_begins_the_distillation_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[Path] = []

    def run(self: Any) -> str:
        began.append(self.to)
        if len(began) == 1:
            raise DamagedError(errno.EIO, "damaged and removed", "hidden.npy")
        return "distilled"

    monkeypatch.setattr(module._Distillation, "run", run)
    monkeypatch.setattr(module, "_checked_task", lambda *_: None)
    experiment = load_experiment(write_experiment(tmp_path))
    assert module.distil_student(experiment, "bert_mini", tmp_path / "out") == "distilled"
    assert len(began) == 2


def test_weights_that_go_on_leave_the_settings_behind_that_they_were_searched_with(tmp_path: Path) -> None:
    genotype = Genotype(16, 8, "first", (Node.of("glu"),), training=(("robust_kd.words", 0.5),))
    made = build_student(
        genotype, labels=("negative", "positive"), problem="classification", vocabulary=30, positions=16, token_types=2,
        pad_token_id=0, dropout=0.1, seed=1,
    )  # fmt: skip
    save_whole(tmp_path / "student", made)
    assert "training" in made.config.genotype
    found = find_student(str(tmp_path / "student"))
    experiment = load_experiment(write_experiment(tmp_path / "data", "classification"))
    model = found.load(load_task(experiment.require_task(), 1), seed=1)
    assert found.genotype == genotype.architecture and "training" not in model.config.genotype
