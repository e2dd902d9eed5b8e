"""A search that chooses settings of distillation: held against its experiment, and carried into every training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from small_run import SPACE, Quiet, write_encoder_experiment, write_experiment

from rosearch.config.distillation import DistillationConfig
from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.distil import student as distilled
from rosearch.errors import BadInput, MissingResource
from rosearch.materials import life
from rosearch.materials.chosen_training import choices_in_words, own_training, training_problems, with_every_choice
from rosearch.materials.kind import kind_of
from rosearch.records.run_directory import RunDirectory
from rosearch.report.details import record_tables
from rosearch.report.overview import ranked_table
from rosearch.resources.resources import VARIABLE
from rosearch.run.results import Results
from rosearch.search import run_search
from rosearch.space.genes import put_over
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.space.node import Node
from rosearch.space.space import Space

ROBUST = {"method": "robust_kd", "robust_kd": {"sources": ["characters"], "words": 0.4}}
TRAINING = {"robust_kd.sources": [["characters"], ["embeddings"]], "robust_kd.average": [None, 0.5]}
GENES = (("robust_kd.average", 0.5), ("robust_kd.sources", ("embeddings",)))
GENOTYPE = Genotype(16, 8, "first", (Node.of("glu"),), training=GENES)


def of(folder: Path, training: dict[str, Any], problem: str = "regression", **changes: Any) -> tuple[Experiment, Space]:
    path = write_experiment(folder, problem, **{"distillation": ROBUST, **changes})
    (folder / "space.yaml").write_text(yaml.safe_dump({**SPACE, "training": training}))
    experiment = load_experiment(path)
    return experiment, load_space(experiment.search_space)


def told(experiment: Experiment, space: Space) -> list[str]:
    return [str(problem) for problem in training_problems(experiment, space, "e.yaml")]


def test_a_method_that_reads_none_of_the_choices_is_one_line(tmp_path: Path) -> None:
    experiment, space = of(tmp_path, TRAINING, distillation={"method": "kd"})
    (line,) = told(experiment, space)
    assert line.startswith("e.yaml: distillation.method: expected robust_kd, which reads what small chooses (")
    assert "got kd" in line and "such as robust_input" in line
    assert told(*of(tmp_path / "any", {"learning_rate": [0.1, 0.2]}, distillation={"method": "kd"})) == []


def test_a_choice_must_keep_the_rules_of_the_experiment(tmp_path: Path) -> None:
    attacked = {"method": "robust_kd", "robust_kd": {"attacks": ["deepwordbug"]}}
    (line,) = told(*of(tmp_path, TRAINING, "classification", distillation=attacked))
    assert "search_space: expected a space whose choices keep to distillation.robust_kd.sources: " in line
    assert line.endswith("got robust_kd.sources embeddings in small")


def test_encoders_without_a_task_have_no_choice_of_training(tmp_path: Path) -> None:
    experiment = load_experiment(write_encoder_experiment(tmp_path))
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({**SPACE, "training": {"learning_rate": [0.1]}}))
    space = load_space(tmp_path / "space.yaml")
    found = [str(problem) for problem in kind_of(experiment).problems(experiment, space, "e.yaml")]
    assert len(found) == 1 and "a space without a section training: an encoder learns" in found[0]


def test_what_any_choice_needs_is_asked_for_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    experiment, space = of(tmp_path, {"robust_kd.sources": [["characters"], ["synonyms", "characters"]]})
    assert with_every_choice(experiment, space).distillation.robust_kd.sources == ["characters", "synonyms"]
    with pytest.raises(MissingResource, match=r"distillation.robust_kd.sources need.*neighbours"):
        kind_of(experiment).check(experiment, space)
    with pytest.raises(MissingResource, match=r"distillation.robust_kd.sources need.*neighbours"):
        run_search(RunDirectory.create(tmp_path / "runs", experiment), Quiet())


def test_check_says_what_is_chosen_and_which_keys_of_the_experiment_it_replaces(tmp_path: Path) -> None:
    experiment, space = of(tmp_path, TRAINING)
    assert kind_of(experiment).check(experiment, space)["training"] == (
        "robust_kd.sources (2 values), robust_kd.average (2 values), chosen for each candidate; "
        "the experiment's values of robust_kd.sources hold for baselines alone"
    )
    assert choices_in_words(*of(tmp_path / "none", {})) == ""


@pytest.fixture
def trained_with(monkeypatch: pytest.MonkeyPatch) -> list[DistillationConfig]:
    """The settings of each training of a search, in their order."""
    seen: list[DistillationConfig] = []
    before = life.training_inputs

    def inputs(materials: Any, config: DistillationConfig, **others: Any) -> Any:
        seen.append(config)
        return before(materials, config, **others)

    monkeypatch.setattr(life, "training_inputs", inputs)
    return seen


def test_a_search_trains_each_candidate_with_its_own_settings_and_its_finalist_again(
    tmp_path: Path, trained_with: list[DistillationConfig]
) -> None:
    experiment, _ = of(tmp_path, TRAINING, evolution={"candidates": 6}, finalists={"count": 1, "epochs": 0.5})
    results = run_search(RunDirectory.create(tmp_path / "runs", experiment), Quiet())
    records = [*results.of("candidate"), *results.of("finalist")]
    assert len(records) == 7 and len({record.genotype.training for record in records}) > 1
    for record, config in zip(records, trained_with, strict=True):
        assert config.robust_kd == put_over(experiment.distillation, record.genotype.training).robust_kd
        assert config.robust_kd.words == 0.4
    last = results.of("finalist")[0]
    assert trained_with[-1].epochs == 0.5
    same_architecture_shown(results, last.id)
    beside_a_plain_and_a_robust_distillation(results, last.id, tmp_path)


def same_architecture_shown(results: Results, identity: str) -> None:
    record = results.find(identity)
    facts = dict(row.cells for row in record_tables(results, record)[0].rows)
    assert facts["trained with"].startswith("robust_kd.average ")  # type: ignore[union-attr]
    notes = [note for note in ranked_table(results).notes if note.startswith("trained with robust_kd.average ")]
    assert len(notes) == len({one.genotype.training for one in results.measured("candidate")})
    assert any(f"#{record.number}" in note for note in notes)


def beside_a_plain_and_a_robust_distillation(results: Results, identity: str, folder: Path) -> None:
    """`rosearch distil --student RUN:ID` trains as the search did, or says that a method reads none of it."""
    genotype = results.find(identity).genotype
    name = f"{results.run.path}:{identity}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distilled._Distillation, "run", lambda self: self)
        for method in ("robust_kd", "kd"):
            experiment = results.experiment.model_copy(
                update={"distillation": results.experiment.distillation.model_copy(update={"method": method})}
            )
            watcher = distilled.Watcher()
            ready: Any = distilled.distil_student(experiment, name, folder / method, None, watcher)
            (note,) = [note for note in watcher.notes if name in note]
            if method == "kd":
                assert ready.found.genotype == genotype.architecture and note.startswith(
                    "kd reads none of the settings"
                )
                assert ready.experiment.distillation == experiment.distillation
            else:
                assert ready.found.genotype == genotype and "in the place of the experiment's" in note
                assert ready.experiment.distillation == put_over(experiment.distillation, genotype.training)


def test_a_student_from_elsewhere_names_no_function_and_breaks_no_rule(tmp_path: Path) -> None:
    experiment, _ = of(tmp_path, {})
    changed, genotype, line = own_training(experiment, GENOTYPE, "g.json")
    assert changed.distillation.robust_kd.average == 0.5 and genotype == GENOTYPE and "g.json" in line
    assert own_training(experiment, GENOTYPE.architecture, "g.json") == (experiment, GENOTYPE.architecture, "")
    hostile = GENOTYPE.with_(training=(("robust_kd.sources", ("os:system",)),))
    with pytest.raises(BadInput, match=r"student: g\.json: .*names alone: a function of yours.*os:system"):
        own_training(experiment, hostile, "g.json")
    attacked, _ = of(
        tmp_path / "attacked", {}, "classification", distillation={**ROBUST, "robust_kd": {"attacks": ["pwws"]}}
    )
    with pytest.raises(BadInput, match=r"distillation\.robust_kd\.sources: .*embeddings"):
        own_training(attacked, GENOTYPE, "g.json")
