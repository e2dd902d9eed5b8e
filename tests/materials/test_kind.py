from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
from small_run import write_encoder_experiment, write_experiment

from rosearch.config.distillation import DistillationConfig
from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.errors import MissingResource
from rosearch.materials import kind
from rosearch.materials.kind import KINDS, EncoderRun, TaskRun, kind_of
from rosearch.run.check import check_resources


def test_every_target_of_an_experiment_has_a_kind() -> None:
    assert set(KINDS) == set(get_args(DistillationConfig.model_fields["target"].annotation))


def test_an_experiment_is_of_the_kind_that_its_target_names(tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    assert isinstance(kind_of(load_experiment(write_experiment(tmp_path / "task"))), TaskRun)
    assert isinstance(kind_of(load_experiment(write_encoder_experiment(tmp_path / "encoder"))), EncoderRun)


def test_a_worker_keeps_its_materials_for_trainings_of_any_length_and_for_nothing_else(tmp_path: Path) -> None:
    experiment = load_experiment(write_experiment(tmp_path))
    opened: list[Experiment] = []

    def prepare(experiment: Experiment, cache: Path) -> int:
        opened.append(experiment)
        return len(opened)

    def ask(**distillation: object) -> int:
        changed = experiment.distillation.model_copy(update=distillation)
        told = experiment.model_copy(update={"distillation": changed})
        job = SimpleNamespace(experiment=told, cache=tmp_path, identity=None)
        return kind._opened(prepare, job)  # type: ignore[arg-type]

    assert [ask(), ask(epochs=7.0), ask(epochs=None, max_steps=3)] == [1, 1, 1]
    assert ask(method="hidden_states") == 2


def test_data_and_a_teacher_that_are_both_on_a_hub_that_is_away_are_told_at_once(tmp_path: Path) -> None:
    write_experiment(tmp_path, "classification")
    changes = ("task.path=null", "task.local={}", "task.hub={dataset: nobody/nothing}", "teacher.model=nobody/nobert")
    experiment = load_experiment(tmp_path / "experiment.yaml", changes)
    with pytest.raises(MissingResource) as caught:
        check_resources(experiment)
    told = "\n".join(caught.value.lines)
    assert "nobody/nothing" in told and "teacher.model: 'nobody/nobert'" in told
