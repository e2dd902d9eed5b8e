from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_run import write_experiment

from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.config.keys import read_keys
from rosearch.errors import BadInput

KEYS = read_keys(Experiment.model_json_schema())
WEIGHTS, SOURCES = "distillation.class_weights", "distillation.robust_kd.sources"


@pytest.mark.parametrize(
    ("given", "read"),
    [("none", "none"), ("balanced", "balanced"), ('{urgent: 5, "1": 0.5}', {"urgent": 5.0, "1": 0.5})],
)
def test_weights_are_a_name_or_numbers_by_label(given: str, read: Any, tmp_path: Path) -> None:
    path = write_experiment(tmp_path, "classification")
    experiment = load_experiment(path, [f"{WEIGHTS}={given}"])
    assert experiment.distillation.class_weights == read
    assert Experiment.model_validate_json(experiment.model_dump_json()) == experiment


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (f"{WEIGHTS}=balance", "in {urgent: 5}, got 'balance'. Did you mean balanced?"),
        (f"{WEIGHTS}=true", "expected one of none, balanced, or weights above 0 by label, as in {urgent: 5}, got true"),
        (f"{WEIGHTS}=3", "got 3"),
        (f"{WEIGHTS}={{}}", "got an empty section"),
        (f"{WEIGHTS}={{a: 0}}", f"{WEIGHTS}.a: expected a weight above 0, got 0"),
        (f"{WEIGHTS}={{a: much}}", f"{WEIGHTS}.a: expected a weight above 0, got 'much'"),
        (f"{WEIGHTS}={{a: true}}", f"{WEIGHTS}.a: expected a weight above 0, got true"),
        (f"{SOURCES}=[synonym]", "module:function, a source of yours, got 'synonym'. Did you mean synonyms?"),
        (f"{SOURCES}=[3]", f"{SOURCES}.0: expected one of characters, synonyms, "),
        (f"{SOURCES}=characters", "expected a list of at least 1, each one of characters"),
    ],
)
def test_what_is_neither_is_one_line_that_names_all_that_may_stand_there(
    override: str, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as told:
        load_experiment(write_experiment(tmp_path, "classification"), [override])
    (problem,) = told.value.problems
    assert expected in str(problem)


def test_a_regression_has_no_classes_to_weigh(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, "regression")
    with pytest.raises(BadInput, match="class_weights: expected none: neither regression nor an encoder has classes"):
        load_experiment(path, [f"{WEIGHTS}=balanced"])
    load_experiment(path, [f"{WEIGHTS}=none"])


def test_a_regression_has_no_classes_over_which_targets_are_smoothed(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, "regression")
    with pytest.raises(BadInput, match="label_smoothing: expected 0: neither regression nor an encoder has classes"):
        load_experiment(path, ["distillation.label_smoothing=0.1"])
    assert load_experiment(path, ["distillation.flood=0.1"]).distillation.flood == 0.1


def test_attacks_may_be_trained_on_with_a_source_of_the_users_own(tmp_path: Path) -> None:
    attacks, path = "distillation.robust_kd.attacks=[deepwordbug]", write_experiment(tmp_path, "classification")
    found = load_experiment(path, [attacks, f"{SOURCES}=['my_edits:perturb']"])
    assert found.distillation.robust_kd.sources == ["my_edits:perturb"]
    with pytest.raises(BadInput, match="one of characters, synonyms, wordnet, refill among them"):
        load_experiment(path, [attacks, f"{SOURCES}=[hull]"])


def test_pages_and_editors_know_the_names_and_that_there_is_more() -> None:
    weights, sources = KEYS.at(WEIGHTS), KEYS.at(SOURCES)
    assert weights is not None and sources is not None
    assert weights.accepted == ("none", "balanced") and "hull" in sources.accepted
    assert weights.type == "one of none, balanced, or weights above 0 by label, as in {urgent: 5}"
    assert sources.each.endswith("embeddings, hull, or module:function, a source of yours")
