"""What is asserted here is what the table is made of, not how large it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from small_run import write_experiment

from rosearch.config.ad2 import DEFAULT
from rosearch.config.distillation import DistillationConfig
from rosearch.config.file import load_experiment
from rosearch.evaluation.quality import predict
from rosearch.materials.task import gather_materials
from rosearch.models.saved import load_classifier
from tests.benchmarks import ad2_reach, method_comparison


def test_students_and_teacher_are_asked_about_moved_embeddings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = str(write_experiment(tmp_path, "classification"))
    runs = ["--runs", str(tmp_path / "cells"), "--methods", "kd", "--seeds", "1", "-o", "execution.device=cpu"]
    method_comparison.main([experiment, *runs, "--student", "layers:0"])
    capsys.readouterr()
    ad2_reach.main([experiment, *runs, "--bounds", "1e-6", "--json"])
    (nothing,) = json.loads(capsys.readouterr().out)
    assert nothing["student_moved"] == nothing["student"] and nothing["teacher_unturned"] == 1.0
    ad2_reach.main([experiment, *runs, "--bounds", "1"])
    assert "| experiment | kd | 1 |" in capsys.readouterr().out


def test_who_is_its_own_teacher_is_right_exactly_where_it_is_not_turned(tmp_path: Path) -> None:
    materials = gather_materials(load_experiment(write_experiment(tmp_path, "classification")), tmp_path / "cache")
    model, _ = load_classifier(materials.teacher)
    tokenised = materials.tokenised("validation")
    with torch.no_grad():  # both classes are predicted
        model.classifier.bias -= torch.from_numpy(np.median(predict(model, tokenised, materials.device, 8), axis=0))
    logits = predict(model, tokenised, materials.device, 8)
    own: Any = SimpleNamespace(
        tokenizer=materials.tokenizer,
        tokenised=lambda name: replace(tokenised, labels=logits.argmax(axis=1)),
        teacher_logits=lambda name: logits,
    )
    found = ad2_reach.reach(model, model, own, ad2_reach.sized(DistillationConfig(), 40.0))
    assert found["student"] == 1.0
    assert found["student_moved"] == found["teacher_unturned"] < 1.0  # it is an ascent


def test_sizes_keep_the_proportions_of_our_default() -> None:
    assert DEFAULT.bound is not None
    assert ad2_reach.sized(DistillationConfig(), DEFAULT.bound).ad2.sizes == DEFAULT
    sizes = ad2_reach.sized(DistillationConfig(), 1.0).ad2.sizes
    assert sizes.bound == 1.0 and sizes.start + sizes.step_size == pytest.approx(1.0)
