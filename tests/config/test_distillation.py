"""Sections of the methods of distillation: published sizes of perturbations, and the names of a section for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rosearch.config.ad2 import DEFAULT, PRESETS, Ad2Config
from rosearch.config.file import load_experiment
from rosearch.errors import BadInput


def write(folder: Path, **ad2: object) -> Path:
    path = folder / "small.yaml"
    task = {"name": "t", "text": ["text"], "labels": ["no", "yes"], "generated": {"train": 100}}
    data = {"name": "small", "search_space": "space.yaml", "task": task, "teacher": {"model": "somewhere"}}
    path.write_text(yaml.safe_dump({**data, "distillation": {"method": "ad2", "ad2": ad2}}))
    return path


def test_an_unknown_preset_is_one_line_that_names_the_known(tmp_path: Path) -> None:
    path = write(tmp_path, preset="freelb-sst3")
    with pytest.raises(BadInput) as caught:
        load_experiment(path)
    (problem,) = caught.value.problems
    assert str(problem) == (
        f"{path}:3: distillation.ad2.preset: expected one of smart, freelb-sst2, freelb-mnli, freelb-mrpc, "
        "freelb-cola, freelb-qnli, freelb-stsb, freelb-qqp, got freelb-sst3"
    )


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_fills_what_is_not_given(name: str) -> None:
    assert Ad2Config(preset=name).sizes == PRESETS[name]


def test_keys_that_are_given_override_a_preset() -> None:
    sizes = Ad2Config(preset="freelb-mrpc", steps=1, start=0.0, bound=0.2).sizes
    assert (sizes.steps, sizes.step_size, sizes.start, sizes.norm, sizes.bound) == (1, 0.04, 0.0, "row", 0.2)


def test_without_a_preset_what_is_not_given_is_ours() -> None:
    assert Ad2Config().sizes == DEFAULT
    assert Ad2Config(steps=5).sizes.steps == 5


def test_a_section_that_was_written_out_in_full_means_the_same(tmp_path: Path) -> None:
    section = Ad2Config(preset="smart", step_size=0.5)
    assert Ad2Config.model_validate(section.model_dump(mode="json")).sizes == section.sizes


def test_one_step_of_the_default_reaches_its_bound_and_not_beyond() -> None:
    assert DEFAULT.bound == DEFAULT.start + DEFAULT.steps * DEFAULT.step_size
