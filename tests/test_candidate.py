from __future__ import annotations

import errno
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from damaged_files import flip
from small_run import write_experiment

import rosearch.materials.life
from rosearch.candidate import run_candidate
from rosearch.config.file import load_experiment
from rosearch.errors import CandidateFailed, MachineFault
from rosearch.materials.life import CandidateJob
from rosearch.materials.suites import attack_seed
from rosearch.materials.task import prepare_materials
from rosearch.measurements import to_json
from rosearch.models.saved import load_tokenizer, save_whole
from rosearch.progress import silent
from rosearch.space.known import known_architecture
from rosearch.student.tokenization_rosearch import EncodedTokenizer
from rosearch.training.kd import KnowledgeDistillation


def make_job(folder: Path, problem: str = "regression", **changes: Any) -> CandidateJob:
    experiment = load_experiment(write_experiment(folder, problem, **changes))
    materials = prepare_materials(experiment, folder / "cache")
    return CandidateJob(
        experiment=experiment,
        cache=folder / "cache",
        teacher=materials.measure_teacher(experiment),
        genotype=known_architecture("bert_mini").genotype,
        seed=11,
        student_folder=folder / "students" / "one",
        suite=experiment.evaluation.robustness.search,
        attack_seed=attack_seed(experiment),
    )


def test_a_candidate_is_built_distilled_measured_and_saved(tmp_path: Path) -> None:
    job = make_job(tmp_path, "classification")
    stages: list[str] = []
    outcome = run_candidate(job, lambda stage, done, total: stages.append(stage))
    assert outcome.failure is None and outcome.measurements is not None
    found = outcome.measurements
    assert found.robustness is not None and found.robustness.n == 4
    assert [attack.attack for attack in found.attacks] == ["deepwordbug"] and found.single_swaps == ()
    assert found.quality.n == 24 and found.training.steps == 4
    assert found.efficiency.compression == job.teacher.cost.parameters / found.efficiency.parameters
    assert list(outcome.seconds) == ["open", "build", "distil", "quality", "attack", "efficiency", "save"]
    assert {"distil", "attack deepwordbug"} <= set(stages)
    assert {path.name for path in job.student_folder.iterdir()} >= {"config.json", "model.safetensors"}


@pytest.mark.parametrize("method", ["kd", "robust_kd"])
def test_a_candidate_with_a_robust_encoding_reads_by_a_tokenizer_of_its_own(method: str, tmp_path: Path) -> None:
    changes = {"distillation": {"method": method, "robust_kd": {"sources": ["characters"]}}}
    job = make_job(tmp_path, "classification", **changes)
    outcome = run_candidate(replace(job, genotype=job.genotype.with_(source=(("encoding", "typos"),))), silent)
    assert outcome.failure is None
    tokenizer = load_tokenizer(job.student_folder)
    assert isinstance(tokenizer, EncodedTokenizer) and tokenizer.encoding is not None
    assert tokenizer.encoding.data["encoding"] == "typos"


def test_a_machine_with_other_data_or_another_teacher_than_the_drivers_runs_no_candidate(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    ours = prepare_materials(job.experiment, job.cache).identity
    assert run_candidate(replace(job, identity=ours), silent).failure is None
    with pytest.raises(MachineFault, match=r"the task of .* are not the driver's: let all nodes read the same files"):
        run_candidate(replace(job, identity={**ours, "task": "other"}), silent)


def test_a_candidate_gives_the_same_measurements_again(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    first, second = run_candidate(job, silent), run_candidate(job, silent)
    assert first.measurements is not None and second.measurements is not None
    assert to_json(first.measurements) == to_json(second.measurements)


def test_a_long_training_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(tmp_path)
    expected = run_candidate(job, silent)
    weights = (job.student_folder / "model.safetensors").read_bytes()
    long, before, notes = replace(job, unfinished=tmp_path / "unfinished"), KnowledgeDistillation.before_step, []

    def stop(self: Any, student: Any, step: int) -> None:
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)  # the step ends, its state is written

    monkeypatch.setattr(KnowledgeDistillation, "before_step", stop)
    with pytest.raises(KeyboardInterrupt):
        run_candidate(long, silent)
    monkeypatch.setattr(KnowledgeDistillation, "before_step", before)
    found = run_candidate(long, lambda stage, done, total: notes.append((stage, done)))
    assert min(done for stage, done in notes if stage == "distil") == 3
    assert found.measurements is not None and expected.measurements is not None
    assert to_json(found.measurements) == to_json(expected.measurements)
    assert (job.student_folder / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (CandidateFailed("nan", "the loss is nan", "distil"), "nan", "the loss is nan"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom", "OutOfMemoryError: CUDA out of memory"),
        (MemoryError(), "oom", "MemoryError"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory\nmore"), "oom", "can't allocate memory"),
        (RuntimeError("std::bad_alloc"), "oom", "std::bad_alloc"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "oom", "Cannot allocate memory"),
        (ValueError("odd shape\nsecond line"), "exception", "ValueError: odd shape"),
    ],
)
def test_whatever_goes_wrong_is_a_typed_failure_of_its_stage(
    raised: Exception, kind: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **named: Any) -> NoReturn:
        raise raised

    job = make_job(tmp_path)
    monkeypatch.setattr(rosearch.materials.life, "distil", fail)
    outcome = run_candidate(job, silent)
    assert outcome.measurements is None and outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.stage) == (kind, "distil")
    assert message in outcome.failure.message and "\n" not in outcome.failure.message
    assert not job.student_folder.exists()


@pytest.mark.parametrize("raised", [OSError(errno.ENOSPC, "No space left"), CandidateFailed("nan", "no", "distil")])
def test_a_fault_of_the_machine_is_raised_and_no_failure_of_the_candidate(
    raised: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **named: Any) -> NoReturn:
        raise raised from OSError(errno.EIO, "Input/output error")

    job = make_job(tmp_path)
    monkeypatch.setattr(rosearch.materials.life, "distil", fail)
    with pytest.raises(type(raised)):
        run_candidate(job, silent)


def test_damage_to_the_cache_is_not_the_candidates_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made anew, and the candidate lives again, to the same end."""
    job = make_job(tmp_path, distillation={"method": "hidden_states"})
    expected = run_candidate(replace(job, student_folder=tmp_path / "students" / "other"), silent)
    (hidden,) = (tmp_path / "cache" / "outputs").glob("*/hidden.npy")
    flip(hidden, 8 * (hidden.stat().st_size - 20))
    outcome = run_candidate(job, silent)
    assert outcome.failure is None and outcome.measurements == expected.measurements


def test_measurements_that_are_not_finite_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(tmp_path)
    original = rosearch.materials.life.distil

    def poisoned(*arguments: Any, **named: Any) -> Any:
        return replace(original(*arguments, **named), final_loss=float("nan"))

    monkeypatch.setattr(rosearch.materials.life, "distil", poisoned)
    outcome = run_candidate(job, silent)
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.stage) == ("nan", "save")
    assert "training.final_loss" in outcome.failure.message


def test_a_failed_save_leaves_neither_folder_nor_draft(tmp_path: Path) -> None:
    class Torn:
        def save_pretrained(self, folder: Path) -> None:
            folder.mkdir()
            (folder / "half").touch()
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save_whole(tmp_path / "students" / "one", Torn())
    assert list((tmp_path / "students").iterdir()) == []
