from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training.tiny_models import config_of, make_student, same_weights

from rosearch.config.distillation import DistillationConfig
from rosearch.data.batches import collate
from rosearch.errors import BadInput, RunError
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.method import TrainingInputs
from rosearch.training.own_source import OwnSource, function_digests, own_sources
from rosearch.training.robust_kd import RobustKd
from rosearch.training.trainer import distil

MODULE = "own_edits_of_a_test"
ROWS = [("a warm and funny film",), ("the plot is dull",)]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of the user's own in the current folder."""
    path = tmp_path / f"{MODULE}.py"
    shutil.copy(Path(__file__).with_name("own_edits.py"), path)
    monkeypatch.chdir(tmp_path)
    yield path
    sys.modules.pop(MODULE, None)


def config(*functions: str, **settings: Any) -> DistillationConfig:
    sources = [f"{MODULE}:{name}" for name in functions]
    return config_of("robust_kd", robust_kd={"sources": sources, "ramp": 0.0, **settings})


def source_of(name: str) -> OwnSource:
    (source,) = own_sources(config(name)).values()
    return source


def told(*functions: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        RobustKd.check(config(*functions))
    return [str(problem) for problem in caught.value.problems]


def test_it_is_given_texts_a_share_and_a_seed_and_gives_as_many_rows_of_as_many_texts(module: Path) -> None:
    source = source_of("perturb")
    rows = [*ROWS, ("a question", "its answer")]
    made = source.perturb(rows, 1.0, np.random.default_rng(1))
    assert [len(row) for row in made] == [1, 1, 2]
    assert all(len(new) > len(old) for row, other in zip(rows, made, strict=True) for old, new in zip(row, other))
    assert source.perturb(rows, 0.0, np.random.default_rng(1)) == rows


def test_equal_generators_give_equal_texts_and_others_other_texts(module: Path) -> None:
    source = source_of("perturb")
    made = [source.perturb(ROWS, 0.5, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("by_words", "by_words(texts, share, seed), got by_words(words): too many positional arguments"),
        (
            "fails",
            "expected a function that is called with texts, a share and a seed, got KeyError: \"of the user's own",
        ),
        ("one_text", "expected a list of 2 texts from the function, as many as it was given, got str"),
        ("too_few", "expected a list of 2 texts from the function, as many as it was given, got 1"),
        ("numbers", "expected a list of 2 texts from the function, as many as it was given, got 0 among them"),
        (
            "drifts",
            "got others at the second call. Draw from random.Random(seed) or numpy.random.default_rng(seed) alone",
        ),
        ("pertub", "got no such name. Did you mean perturb?"),
    ],
)
def test_a_function_that_is_no_source_is_one_line_before_anything_is_trained(
    function: str, expected: str, module: Path
) -> None:
    (line,) = told(function)
    assert expected in line and line.startswith(f"experiment: distillation.robust_kd.sources.0: {MODULE}:{function}: ")
    assert "\n" not in line


def test_all_functions_that_are_not_there_are_told_at_once(module: Path) -> None:
    assert len(told("gone", "lost", "perturb")) == 2
    assert len(told("by_words", "numbers", "perturb", "drifts")) == 3


def test_a_builtin_whose_arguments_nobody_knows_is_told_by_its_call(module: Path) -> None:
    module.write_text("edit = iter\n")
    (line,) = told("edit")
    assert "is called with texts, a share and a seed, got TypeError: iter expected at most 2 arguments" in line


def test_texts_that_go_wrong_in_the_middle_of_a_training_are_one_line(module: Path, inputs: TrainingInputs) -> None:
    module.write_text("def edit(texts, share, seed):\n    return texts if len(texts) < 3 else [None for _ in texts]\n")
    RobustKd.check(config("edit"))
    with pytest.raises(BadInput, match="texts from the function, as many as it was given, got None among them"):
        distil(make_student(len(inputs.tokenizer)), replace(inputs, config=config("edit")))


def test_students_learn_its_texts_and_equal_seeds_give_equal_students(
    module: Path, inputs: TrainingInputs, tokenizer: Any
) -> None:
    asked = replace(inputs, config=config("perturb").model_copy(update={"max_steps": 4}))
    first, second, other = make_student(len(tokenizer)), make_student(len(tokenizer)), make_student(len(tokenizer))
    distil(first, asked)
    distil(second, asked)
    distil(other, replace(asked, config=asked.config.model_copy(update={"method": "kd"})))
    assert same_weights(first, second) and not same_weights(first, other)
    method = RobustKd.make(asked, other.eval())
    batch = collate(inputs.tokenised, np.arange(8))
    clean, perturbed = [
        part.item() for part in method.losses(other, batch, inputs.outputs.rows(inputs.tokenised, batch))
    ]
    assert clean > 0 and perturbed > 0


def test_a_training_whose_source_or_attack_changed_is_another_one(
    module: Path, inputs: TrainingInputs, tokenizer: Any, tmp_path: Path
) -> None:
    asked = replace(inputs, config=config("perturb").model_copy(update={"max_steps": 3}))
    place = Checkpoint(tmp_path / "checkpoint", every=0.0)
    distil(make_student(len(tokenizer)), asked, place)
    distil(make_student(len(tokenizer)), asked, place)  # goes on
    module.write_text(module.read_text() + "# changed\n")
    with pytest.raises(RunError, match=rf"differs in function {MODULE}:perturb \(\w{{16}} there, \w{{16}} here\)"):
        distil(make_student(len(tokenizer)), asked, place)
    both = config("perturb", attacks=[f"{MODULE}:fails", "deepwordbug"])
    assert function_digests(both).keys() == {f"{MODULE}:perturb", f"{MODULE}:fails"}
    assert function_digests(both.model_copy(update={"method": "kd"})) == {}
    assert json.dumps(function_digests(both))
