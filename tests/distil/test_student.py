from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from small_run import write_experiment

from rosearch.config.file import load_experiment
from rosearch.distil import student as module
from rosearch.errors import DamagedError


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
