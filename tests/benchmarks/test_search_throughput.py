from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rosearch.materials.life import TaskLife
from rosearch.materials.task import prepare_materials
from tests.benchmarks.glue_pipeline import _Collate, run_pipeline, training_rows
from tests.benchmarks.lean import jobs
from tests.benchmarks.search_throughput import summary


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> TaskLife:
    job = next(jobs(tmp_path_factory.mktemp("life") / "made"))
    return TaskLife(job, prepare_materials(job.experiment, job.cache))


# TextAttack's own, of few rows of which it broke none.
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
@pytest.mark.parametrize("tuned", [True, False])
def test_a_pipeline_trains_evaluates_and_attacks_the_student_that_rosearch_builds(
    life: TaskLife, tmp_path: Path, tuned: bool
) -> None:
    spent = run_pipeline(life, tmp_path / "trainer", tuned=tuned, steps=None if tuned else 1, rows=0 if tuned else 2)
    assert list(spent.seconds) == ["train", "quality", "attack"] and spent.total > 0
    assert spent.quality is not None and spent.quality.n == len(life.materials.split("validation"))
    assert (spent.robustness is not None) == tuned
    assert spent.robustness is None or spent.robustness.n == life.job.suite.rows


def test_rows_bring_the_teachers_answers_and_pad_as_each_form_does(life: TaskLife) -> None:
    rows = training_rows(life, answered=True)
    assert torch.tensor(rows[3]["answers"]).equal(torch.tensor(life.materials.outputs.logits[3]))
    assert "answers" not in training_rows(life, answered=False)[0]
    longest = max(len(row["input_ids"]) for row in rows[:2])
    for to_longest, tokens in ((True, longest), (False, life.materials.max_length)):
        batch = _Collate(life.materials.tokenizer, life.materials.max_length, to_longest)(rows[:2])
        assert batch["input_ids"].shape == (2, tokens) and batch["labels"].tolist() == [r["labels"] for r in rows[:2]]


def test_the_figures_are_medians_and_the_correlation_of_ranks() -> None:
    row = {"ratio_brief": 8.0, "ratio_tuned": 1.2, "fitness": 0.1, "fitness_tuned": 0.3}
    rows = [
        row,
        row | {"ratio_brief": 6.0, "fitness": 0.2, "fitness_tuned": 0.5},
        row | {"fitness": 0.4, "fitness_tuned": 0.6},
    ]
    found = summary(rows)
    assert (found["ratio_brief"], found["ratio_tuned"], found["rank_correlation"]) == (8.0, 1.2, 1.0)


def test_the_candidates_of_the_worker_differ_in_architecture_and_seed(tmp_path: Path) -> None:
    found = [job for job, _ in zip(jobs(tmp_path), range(4), strict=False)]
    assert len({(job.genotype.id, job.seed) for job in found}) == 4
    assert replace(found[0], genotype=found[1].genotype, seed=found[1].seed) == found[1]
