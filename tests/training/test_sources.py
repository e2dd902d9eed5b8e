"""The sources by name: what they read, and what is said where it is not there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from training.tiny_models import config_of, make_tokenizer, save_masked_lm

from rosearch.config.choices import WORD_SOURCES
from rosearch.errors import BadInput, MissingResource
from rosearch.resources.word_lists import is_withheld
from rosearch.training.method import TrainingInputs
from rosearch.training.refill import Refill
from rosearch.training.sources import TEXT_SOURCES, lists_of, open_sources
from rosearch.training.text_sources import Listed


def with_folder(inputs: TrainingInputs, folder: Path, *sources: str) -> TrainingInputs:
    config = config_of("robust_kd", robust_kd={"sources": list(sources)})
    return replace(inputs, config=config, resources=folder)


def test_every_source_of_text_of_the_configuration_is_registered() -> None:
    assert set(TEXT_SOURCES) == {*WORD_SOURCES, "other_words"}


def test_the_word_lists_of_a_folder_are_read(inputs: TrainingInputs, tmp_path: Path) -> None:
    (tmp_path / "counterfitted_neighbors.json").write_text(json.dumps({"good": ["nice", "well-made"]}))
    source = open_sources(["synonyms"], with_folder(inputs, tmp_path, "synonyms"))["synonyms"]
    assert isinstance(source, Listed) and source.candidates("good") == ("nice",)


def test_words_that_are_withheld_are_never_drawn(inputs: TrainingInputs, tmp_path: Path) -> None:
    others = [f"w{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(40)]
    (tmp_path / "counterfitted_neighbors.json").write_text(json.dumps({"good": others}))
    save_masked_lm(tmp_path / "masked_lm", make_tokenizer())
    asked = with_folder(inputs, tmp_path, "synonyms", "refill")
    asked = replace(asked, config=asked.config.model_copy(update={"withhold": True}))
    found = open_sources(["synonyms", "refill"], asked)
    assert isinstance(found["synonyms"], Listed) and isinstance(found["refill"], Refill)
    drawn = found["synonyms"].candidates("good")
    assert 5 < len(drawn) < 35 and not any(is_withheld("good", other) for other in drawn)
    assert found["refill"].synonyms[0].candidates("good") == drawn


def test_what_is_missing_is_one_line_that_names_the_source(inputs: TrainingInputs, tmp_path: Path) -> None:
    names = ["characters", "synonyms", "refill"]
    with pytest.raises(MissingResource) as caught:
        open_sources(names, with_folder(inputs, tmp_path / "nowhere", *names))
    line = str(caught.value)
    assert "distillation.robust_kd.sources: synonyms, distillation.robust_kd.sources: refill need local files" in line
    assert "rosearch attack resources --make masked-lm" in line and "\n" not in line


def test_refilled_words_have_the_synonyms_that_the_other_sources_read(inputs: TrainingInputs, tmp_path: Path) -> None:
    """What lies in the folder besides changes nothing: the settings say which lists a training reads."""
    (tmp_path / "counterfitted_neighbors.json").write_text(json.dumps({"good": ["fine"]}))
    save_masked_lm(tmp_path / "masked_lm", make_tokenizer())
    for sources, listed in ((("refill",), 0), (("refill", "characters"), 0), (("refill", "synonyms"), 1)):
        source = open_sources(["refill"], with_folder(inputs, tmp_path, *sources))["refill"]
        assert isinstance(source, Refill) and len(source.synonyms) == listed and len(source.ways) == 4 + listed
    assert lists_of(["refill"]) == ("masked_lm",)
    assert lists_of(["refill", "synonyms", "hull"]) == ("masked_lm", "neighbours")


def test_a_masked_lm_that_cannot_fill_in_words_is_one_line(inputs: TrainingInputs, tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.mask_token = None
    save_masked_lm(tmp_path / "masked_lm", tokenizer)
    with pytest.raises(BadInput, match=r"resource masked_lm: .*expected a fast tokenizer with a mask token"):
        open_sources(["refill"], with_folder(inputs, tmp_path, "refill"))
