"""KD-NAS as a run: reward, controller and predictions from the experiment file to what `status` shows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from small_run import Quiet, write_experiment

from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.errors import BadInput
from rosearch.evaluation.quality import predict
from rosearch.materials.task import prepare_materials
from rosearch.records.run_directory import RunDirectory
from rosearch.report.overview import explanation, predictions_table
from rosearch.report.summary import describe_run
from rosearch.run.check import check_experiment
from rosearch.run.results import Results
from rosearch.search import cache_folder, run_search
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.training.losses import soft_label_loss

ENCODERS = {
    "name": "few",
    "encoder": {"layers": [1, 2], "heads": [2], "hidden": [16, 24], "ffn": [16, 32], "activation": ["gelu", "relu"]},
    "vocabulary": 100,
}
CONTROLLER = {"predictor": "boosting", "exploration_step": 0.5}
SETTINGS: dict[str, Any] = {
    "evolution": {"strategy": "kd_nas", "candidates": 12, "population": 6, "elite": 1, "kd_nas": CONTROLLER},
    "fitness": {"reward": {}},
    "evaluation": {
        "efficiency": {"tokens": 8, "repeats": 1, "warmup": 0},
        "robustness": {"search": {"rows": 4}, "report": {"rows": 4}},
    },
}


def experiment_of(folder: Path, space: dict[str, Any] | None = ENCODERS, **changes: Any) -> Experiment:
    folder.mkdir(exist_ok=True)
    path = write_experiment(folder, **(SETTINGS | changes))
    if space is not None:
        (folder / "space.yaml").write_text(yaml.safe_dump(space))
    return load_experiment(path)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("kd_nas")
    experiment = experiment_of(folder, finalists={"count": 1})
    return run_search(RunDirectory.create(folder / "runs", experiment), Quiet())


def test_candidates_and_finalists_are_ranked_by_their_reward(searched: Results) -> None:
    assert searched.finished and len(searched.of("candidate")) == 12 and len(searched.of("finalist")) == 1
    assert searched.teacher is not None and searched.teacher.latency_ms is not None
    for record in searched.records:
        found = record.measurements
        assert found is not None and found.held_out_loss is not None and record.failure is None
        ratio = found.efficiency.latency[0].median_ms / (0.6 * searched.teacher.latency_ms)
        power = ratio**-0.06
        loss = found.held_out_loss
        expected = (1 - loss) * power if loss <= 1 else (1 - loss) / power
        assert searched.fitness[record.number].scalar == pytest.approx(expected)
    rewards = [searched.fitness[record.number].scalar for record in searched.ranking]
    assert rewards == sorted(rewards, reverse=True)


def test_the_held_out_loss_is_that_of_distillation_on_the_validation_rows(searched: Results) -> None:
    record = searched.ranking[0]
    student = StudentForSequenceClassification.from_pretrained(searched.run.student_folder(record))
    materials = prepare_materials(searched.experiment, cache_folder(searched.run))
    logits = predict(student, materials.tokenised("validation"), materials.device, 64)
    teacher = torch.tensor(materials.teacher_logits("validation"))
    expected = soft_label_loss(torch.from_numpy(logits), teacher, "regression", 2.0).item()
    assert record.measurements is not None
    assert record.measurements.held_out_loss == pytest.approx(expected, rel=1e-5)


def test_predictions_are_scored_and_shown(searched: Results) -> None:
    (episode,) = searched.predictions
    assert (episode.episode, episode.drawn.n, episode.chosen.n) == (1, 3, 3)
    (described,) = describe_run(searched)["predictions"]
    assert described["drawn"]["n"] == 3 and set(described["chosen"]) == {"n", "kendall", "spearman"}
    table = predictions_table(searched.predictions)
    assert table.title == "Predicted against observed reward"
    ((shown, drawn, _, _, chosen, _, _),) = table.texts()
    assert (shown, drawn, chosen) == ("1", "3", "3")
    assert explanation(searched) == "fitness: (1 - held-out loss) x (latency / (0.6 x the teacher's))^-0.06"


def test_without_a_reward_no_held_out_loss_is_measured(tmp_path: Path) -> None:
    evolution = {"strategy": "random", "candidates": 1, "population": 2, "elite": 1}
    experiment = experiment_of(tmp_path, fitness={"reward": None}, evolution=evolution)
    found = run_search(RunDirectory.create(tmp_path / "runs", experiment), Quiet())
    (record,) = found.records
    assert record.measurements is not None and record.measurements.held_out_loss is None
    assert found.predictions == []
    assert math.isfinite(found.fitness[record.number].scalar) and "accuracy" in explanation(found)


def test_kd_nas_on_graphs_is_refused_before_anything_runs(tmp_path: Path) -> None:
    experiment = experiment_of(tmp_path, space=None)
    with pytest.raises(BadInput, match="search_space: expected a search space of encoders") as caught:
        check_experiment(experiment, "experiment.yaml")
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("timed", [{"repeats": 0}, {"repeats": 3, "batch_sizes": []}])
def test_a_reward_needs_latency_that_is_measured(timed: dict[str, Any], tmp_path: Path) -> None:
    evaluation = SETTINGS["evaluation"] | {"efficiency": timed}
    with pytest.raises(BadInput, match=r"evaluation\.efficiency\.repeats: expected above 0, .* for fitness\.reward"):
        experiment_of(tmp_path, evaluation=evaluation)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"fitness": {"reward": {"alpha": 0.1}}}, "fitness.reward.alpha"),
        ({"fitness": {"reward": {"beta": 0}}}, "fitness.reward.beta"),
        ({"evolution": {"kd_nas": {"exploration": 0.2, "exploration_least": 0.3}}}, "kd_nas.exploration_least"),
        ({"evolution": {"kd_nas": {"predictor": "oracle"}}}, "evolution.kd_nas.predictor"),
    ],
)
def test_settings_that_make_no_sense_are_refused(section: dict[str, Any], key: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=key) as caught:
        experiment_of(tmp_path, **section)
    assert len(caught.value.problems) == 1
