"""The moved word table of a teacher: made once, lent to every student, and asked for before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from damaged_files import DAMAGES
from resources.tiny_wordnet import write_wndb
from small_run import write_experiment

from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.distil import Options, distil_student
from rosearch.errors import BadInput, MissingResource
from rosearch.files import file_hash
from rosearch.materials import word_table as module
from rosearch.materials.kind import kind_of
from rosearch.materials.lineage import begin
from rosearch.materials.required_resources import attack_resources, fingerprints, require_training
from rosearch.materials.task import TaskMaterials, gather_materials
from rosearch.materials.training_inputs import fresh_student
from rosearch.materials.word_table import word_table
from rosearch.progress import silent
from rosearch.resources.word_lists import is_withheld
from rosearch.space.known import known_architecture
from rosearch.space.loading import load_space
from rosearch.student.build import embedding_basis
from rosearch.student.teacher_layers import inherit_layers
from rosearch.training.encoder import load_encoder
from rosearch.training.word_table import MetricSettings

NEIGHBOURS = {"good": ["bright", "never"], "bright": ["good"], "film": ["bright"], "quite": ["film"]}


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MetricSettings", partial(MetricSettings, steps=20))


def write(folder: Path, lists: object = NEIGHBOURS, **distillation: Any) -> Experiment:
    """`never` and `quite` stay apart: the one is a stop word, the other no word of the tiny WordNet."""
    resources = folder / "resources"
    write_wndb(resources / "corpora" / "wordnet")
    (resources / "counterfitted_neighbors.json").write_text(json.dumps(lists))
    changes = {"distillation": {"word_table": "metric", **distillation}}
    changes["evaluation"] = {"robustness": {"resources": str(resources)}}
    return load_experiment(write_experiment(folder / "small", **changes))


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return write(tmp_path)


@pytest.fixture
def materials(experiment: Experiment, tmp_path: Path) -> TaskMaterials:
    return gather_materials(experiment, tmp_path / "cache")


def rows(materials: TaskMaterials, words: Sequence[str]) -> list[int]:
    found: list[int] = materials.tokenizer.convert_tokens_to_ids(list(words))
    return found


def test_the_words_of_the_lists_move_but_those_that_stay_apart(
    experiment: Experiment, materials: TaskMaterials
) -> None:
    made = word_table(materials, experiment.distillation)
    assert made is not None
    assert made.rows.tolist() == sorted(rows(materials, ["good", "bright", "film"]))
    assert made.facts["lists"] == ["neighbours", "wordnet"] and made.facts["pairs"] == 2
    assert made.facts["synonyms_after"] > made.facts["synonyms_before"]


def test_pairs_that_are_withheld_from_the_defence_do_not_move_a_word(tmp_path: Path) -> None:
    words = ["good", "bright", "film"]
    experiment = write(tmp_path, {word: [other for other in words if other != word] for word in words}, withhold=True)
    materials = gather_materials(experiment, tmp_path / "cache")
    made = word_table(materials, experiment.distillation)
    left = {word for pair in combinations(words, 2) for word in pair if not is_withheld(*pair)}
    assert made is not None and 0 < len(left) < 3
    assert made.rows.tolist() == sorted(rows(materials, sorted(left)))


def test_the_teachers_own_table_is_nothing_to_make(experiment: Experiment, materials: TaskMaterials) -> None:
    config = experiment.distillation.model_copy(update={"word_table": "teacher"})
    assert word_table(materials, config) is None
    assert not (materials.cache / "word_tables").exists()


def test_a_fresh_student_inherits_the_moved_words_and_the_teacher_stays(
    experiment: Experiment, materials: TaskMaterials
) -> None:
    config, weights = experiment.distillation, materials.teacher / "model.safetensors"
    before = file_hash(weights)
    plain = config.model_copy(update={"word_table": "teacher"})
    genotype, sizes = known_architecture("bert_mini").genotype, {"positions": 16, "token_types": 2}
    moved, usual = (fresh_student(genotype, materials, one, seed=1, **sizes) for one in (config, plain))
    teacher, made = load_encoder(materials.teacher), word_table(materials, config)
    assert made is not None
    made.lend(teacher)
    basis = embedding_basis(moved.config, teacher)
    expected = teacher.get_input_embeddings().weight @ basis
    torch.testing.assert_close(moved.get_input_embeddings().weight, expected)
    assert not torch.allclose(usual.get_input_embeddings().weight, expected, atol=1e-3)
    assert file_hash(weights) == before


def test_layers_of_the_teacher_are_turned_by_the_table_that_the_words_come_from(tmp_path: Path) -> None:
    experiment = write(tmp_path, inherit="teacher")
    run = kind_of(experiment)
    space = load_space(tmp_path / "small" / "space.yaml")
    made: Any = run.prepare(experiment, space, tmp_path / "cache", silent)
    assert "word table: 3 words moved by 2 pairs" in made.notes[-1]
    assert made.identity["word table"] == fingerprints(experiment, attack_resources(experiment))["word table"]
    table = word_table(made, experiment.distillation)
    assert table is not None
    sizes = {"positions": 16, "token_types": 2}
    student, other = (
        fresh_student(known_architecture("bert_mini").genotype, made, experiment.distillation, seed=1, **sizes)
        for _ in range(2)
    )
    begin(student, experiment.distillation, None, made.teacher, None, table)
    teacher = load_encoder(made.teacher)
    table.lend(teacher)
    inherit_layers(other, teacher)
    assert all(torch.equal(one, two) for one, two in zip(student.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_is_made_once_and_a_damaged_one_again(damage: str, experiment: Experiment, materials: TaskMaterials) -> None:
    first = word_table(materials, experiment.distillation)
    (kept,) = (materials.cache / "word_tables").glob("*/rows.safetensors")
    written = kept.stat().st_mtime_ns
    again = word_table(materials, experiment.distillation)
    assert first is not None and again is not None
    assert kept.stat().st_mtime_ns == written and torch.equal(first.vectors, again.vectors)
    DAMAGES[damage](kept)
    mended = word_table(materials, experiment.distillation)
    assert mended is not None and torch.equal(mended.vectors, first.vectors)


def test_a_student_cut_from_the_teacher_begins_with_it_and_the_record_has_its_facts(tmp_path: Path) -> None:
    experiment = write(tmp_path, max_steps=1, learning_rate=1e-12)
    made = distil_student(experiment, "layers:0", tmp_path / "out", Options(cache=tmp_path / "cache"))
    facts = made.record["word_table"]
    assert facts["moved"] == 3 and any(note.startswith("word table: 3 words") for note in made.record["notes"])
    assert made.record["config"]["word_table"] == "metric"
    materials = gather_materials(experiment, tmp_path / "cache")
    table = word_table(materials, experiment.distillation)
    assert table is not None and table.facts["key"] == facts["key"]
    words = load_encoder(tmp_path / "out").get_input_embeddings().weight
    torch.testing.assert_close(words[table.rows], table.vectors)
    with pytest.raises(BadInput, match=r"word_table: expected teacher, for a student whose weights, words included"):
        distil_student(experiment, str(tmp_path / "out"), tmp_path / "other")


def test_a_vocabulary_without_two_synonyms_is_one_line(tmp_path: Path) -> None:
    experiment = write(tmp_path, {"quite": ["never"]})
    materials = gather_materials(experiment, tmp_path / "cache")
    with pytest.raises(BadInput, match=r"distillation\.word_table: expected teacher, or metric .* no two synonyms"):
        word_table(materials, experiment.distillation)
    assert not list((tmp_path / "cache" / "word_tables").glob("[!.]*/"))


def test_lists_that_are_missing_are_told_before_anything_is_trained(tmp_path: Path) -> None:
    experiment = write(tmp_path)
    (tmp_path / "resources" / "counterfitted_neighbors.json").unlink()
    with pytest.raises(MissingResource, match=r"^distillation\.word_table: metric needs local files .*: neighbours"):
        require_training(experiment, ["wordpiece"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"inherit_embeddings": False}, "teacher, where they inherit none"),
        ({"initial": "somewhere"}, "teacher, beside an encoder that brings its own"),
    ],
)
def test_a_table_that_no_student_would_inherit_is_refused(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"distillation\.word_table: expected {told}"):
        write(tmp_path, **changes)
