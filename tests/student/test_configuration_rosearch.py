from __future__ import annotations

from pathlib import Path

from student.small_students import BRANCHING, WIDTH

from rosearch.space.genotype import SOURCE_DEFAULTS, Genotype
from rosearch.space.rules import structural_problems
from rosearch.student.configuration_rosearch import StudentConfig


def test_the_default_configuration_is_a_sound_genotype() -> None:
    assert structural_problems(Genotype.from_dict(StudentConfig().genotype)) == []


def test_a_configuration_survives_its_file(tmp_path: Path) -> None:
    config = StudentConfig(BRANCHING.to_dict(), 100, 20, 1, None, 0.3, num_labels=3, eos_token_id=9)
    config.save_pretrained(tmp_path)
    loaded = StudentConfig.from_pretrained(tmp_path)
    assert loaded.to_dict() == config.to_dict()
    assert Genotype.from_dict(loaded.genotype) == BRANCHING
    assert (loaded.pad_token_id, loaded.eos_token_id, loaded.num_labels) == (None, 9, 3)


def test_a_default_configuration_survives_its_file(tmp_path: Path) -> None:
    StudentConfig().save_pretrained(tmp_path)
    assert StudentConfig.from_pretrained(tmp_path).to_dict() == StudentConfig().to_dict()


def test_configurations_share_no_genotype_with_each_other_or_the_caller() -> None:
    data = BRANCHING.to_dict()
    config = StudentConfig(data)
    data["nodes"].clear()
    assert len(config.genotype["nodes"]) == len(BRANCHING.nodes)
    StudentConfig().genotype["nodes"].clear()
    assert StudentConfig().genotype["nodes"]


def test_the_hidden_size_is_the_width_whatever_a_file_says() -> None:
    assert StudentConfig(BRANCHING.to_dict(), hidden_size=7).hidden_size == WIDTH


def test_the_source_is_complete_and_the_defaults_are_those_of_a_genotype() -> None:
    assert StudentConfig(BRANCHING.to_dict()).source == SOURCE_DEFAULTS
    robust = BRANCHING.with_(source=(("characters", "cnn"),))
    assert StudentConfig(robust.to_dict()).source == robust.source_setting
