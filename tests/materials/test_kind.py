from __future__ import annotations

from pathlib import Path
from typing import get_args

from small_run import write_encoder_experiment, write_experiment

from rosearch.config.distillation import DistillationConfig
from rosearch.config.file import load_experiment
from rosearch.materials.kind import KINDS, EncoderRun, TaskRun, kind_of


def test_every_target_of_an_experiment_has_a_kind() -> None:
    assert set(KINDS) == set(get_args(DistillationConfig.model_fields["target"].annotation))


def test_an_experiment_is_of_the_kind_that_its_target_names(tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    assert isinstance(kind_of(load_experiment(write_experiment(tmp_path / "task"))), TaskRun)
    assert isinstance(kind_of(load_experiment(write_encoder_experiment(tmp_path / "encoder"))), EncoderRun)
