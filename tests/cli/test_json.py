"""The keys of `--json` are public: docs/json.md names those that each command prints, and no others."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from cli.documented_keys import Page
from command_line import rosearch
from export.hub_stand_in import connected
from small_run import SPACE, write_encoder_experiment, write_experiment
from transformers import AutoTokenizer, BertForSequenceClassification

from rosearch.candidate import run_candidate
from rosearch.evolution.agreement import Agreement, EpisodeAgreement
from rosearch.export.evidence import read_evidence
from rosearch.materials.life import CandidateJob
from rosearch.measurements import Lineage, Rung, Stopped
from rosearch.progress import Progress
from rosearch.records.record import Failure, Outcome
from rosearch.run.standing import AtWork, Stage, Standing, standing_data
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.tokenization_rosearch import EncodedTokenizer

TEXT = (Path(__file__).parents[2] / "docs/json.md").read_text()
RUN = "runs/small-0001"
# These take several runs, a server or a file: test_app.py, test_whole_run.py, tests/run/test_soft_labels_run.py,
# tests/materials/test_word_table.py and tests/report/test_serving.py print them.
ELSEWHERE = (
    *("compare: ", "stats: pooled", "stats: runs", "report: url"),
    *("export: run", "export: format", "export: file"),
    *("check: soft labels", "check: tokenizer"),
    *("distil: teacher.outputs", "distil: teacher.digest", "distil: teacher.answers", "distil: word_table"),
)
LATENCY = ("recommend", RUN, "--latency-ms", "0.000001,1000000")
ATTACK = ("attack", "student", "--attack", "deepwordbug", "--task", "data/test.tsv", "--n", "24")
MORE = ("--single-swaps", "deepwordbug", "--suite", "set.csv")
SEVERAL = ("attack", "student", "distilled", "broken", *ATTACK[2:], *MORE)
COMMANDS: dict[str, tuple[str, ...]] = {
    "resume": ("resume", RUN),
    "status": ("status", RUN),
    "show": ("show", RUN, "bert_mini"),
    "stats": ("stats", RUN),
    "report": ("report", RUN, "--to", "page.html"),
    "figures": ("figures", RUN, "--to", "figures"),
    "recommend": LATENCY,
    "export": ("export", RUN, "--best", "--target", "hf,onnx"),
    "check": ("check", "experiment.yaml"),
    "experiments": ("experiments",),
    "spaces": ("spaces",),
    "experiments --copy": ("experiments", "--copy", "sst2"),
    "spaces --copy": ("spaces", "--copy", "tiny"),
    "explain": ("explain", "evolution"),
    "attack": ATTACK,
    "attack resources": ("attack", "resources"),
    "encoding": ("encoding", "encoded", "--explain", "harbor"),
    "teacher": ("teacher", "experiment.yaml", "--to", "taught"),
    "verify": ("verify", "student"),
    "bench": ("bench", "student", "--batch", "1", "--length", "8", "--seconds", "0.01"),
    "distil": ("distil", "--student", "bert_mini", "--task", "experiment.yaml", "--to", "distilled"),
}
ENCODING = {
    "encoding": "typos+synonyms",
    "ratio": 1e12,
    "weights": {"film": 70.0, "flick": 0.5, "bad": 9.0, "harbor": 1.0},
    "codes": {"flick": "film"},
    "apart": ["sikh"],
    "purity": {"limit": 0.8, "contexts": 5, "mean": 0.8, "words": {"flick": 0.8}, "refused": {"harbor": ["bad", 0.2]}},
}
NUMBERS = count(1)
FAILING = 4  # of all candidates of the search, in their order


def one_fails(job: CandidateJob, progress: Progress) -> Outcome:
    failure = Failure("nan", "distil", "the loss is nan")
    return Outcome(None, failure) if next(NUMBERS) == FAILING else run_candidate(job, progress)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A small run with latencies and a failed candidate, a student of it in `student`, and what the search printed."""
    folder = tmp_path_factory.mktemp("searched")
    suite = {"rows": 4, "single_swaps": ["deepwordbug"]}
    evaluation = {
        "efficiency": {"tokens": 8, "batch_sizes": [1], "warmup": 1, "repeats": 2},
        "robustness": {"search": suite, "report": suite},
    }
    write_experiment(folder, "classification", baselines=["bert_mini"], finalists={"count": 1}, evaluation=evaluation)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rosearch.run.driver.run_candidate", one_fails)
        printed = rosearch("search", "experiment.yaml", "--json", cwd=folder).data
    rosearch("export", RUN, "--best", "--to", "student", cwd=folder)
    return folder, printed


@pytest.fixture(scope="module")
def printed(searched: tuple[Path, dict[str, Any]]) -> list[tuple[str, Any]]:
    """Data by command; several of a command where its keys depend on what it is given."""
    folder, search = searched
    _write_encoding(folder)
    found = [("search", search)]
    with pytest.MonkeyPatch.context() as patch:  # no process of its own: tests/export/test_fresh.py starts one
        patch.setattr("rosearch.export.verification.ask_fresh_process", _recorded)
        found += [(name, rosearch(*given, "--json", cwd=folder).data) for name, given in COMMANDS.items()]
    with pytest.MonkeyPatch.context() as patch, connected(patch):
        pushed = rosearch("export", "student", "--push-to-hub", "me/student", "--yes", "--json", cwd=folder).data
    found.append(("export", dict(found)["export"] | pushed))
    failed = search["failures"][0]["id"]
    found.append(("show", rosearch("show", RUN, failed, "--json", cwd=folder).data))
    _write_broken_model_and_set(folder)
    found.append(("attack", rosearch(*SEVERAL, "--json", cwd=folder, expect=1).data))
    found.append(("runs", rosearch("runs", "--json", cwd=folder).data))
    (folder / RUN / "progress.json").touch()
    found.append(("doctor", rosearch("doctor", RUN, "--dry-run", "--json", cwd=folder).data))
    found.append(("cache", rosearch("cache", "--json", cwd=folder).data))
    taken = f"evolution.warm_start=['run:{RUN}']"
    found.append(("check", rosearch("check", "experiment.yaml", "-o", taken, "--json", cwd=folder).data))
    write_encoder_experiment(folder / "encoders")
    lengthless = rosearch("check", "experiment.yaml", "-o", "task.max_length=null", "--json", cwd=folder).data
    found.append(("check", lengthless))
    found.append(("check", rosearch("check", "encoders/experiment.yaml", "--json", cwd=folder).data))
    (folder / "chosen.yaml").write_text(json.dumps({**SPACE, "training": {"learning_rate": [0.001, 0.01]}}))
    weighed = ("-o", "distillation.class_weights=balanced", "-o", "search_space=chosen.yaml")
    found.append(("check", rosearch("check", "experiment.yaml", *weighed, "--json", cwd=folder).data))
    (folder / "edits_of_json.py").write_text("def edit(texts, share, seed):\n    return texts\n")
    (folder / "lists").mkdir()
    (folder / "lists" / "counterfitted_neighbors.json").write_text('{"good": ["fine"]}')
    settings = ("sources=[edits_of_json:edit, synonyms]", "snapshots=2", "snapshot_rows=4")
    own = ["--method", "robust_kd", "-o", f"evaluation.robustness.resources={folder / 'lists'}", "--to", "own"]
    own += [part for setting in settings for part in ("-o", f"distillation.robust_kd.{setting}")]
    found.append(("distil", rosearch(*COMMANDS["distil"], *own, "--json", cwd=folder).data))
    return found


def _recorded(folder: Path, rows: Any, *, trusted: bool) -> Any:
    evidence = read_evidence(folder)
    assert trusted and evidence is not None
    return evidence.logits


def _write_encoding(folder: Path) -> None:
    """The tokenizer of a student with a robust encoding, in `encoded`."""
    plain = AutoTokenizer.from_pretrained(folder / "teacher")
    tokenizer = EncodedTokenizer(tokenizer_object=plain.backend_tokenizer, pad_token=plain.pad_token)
    tokenizer.set_encoding(ENCODING)
    tokenizer.save_pretrained(folder / "encoded")


def _write_broken_model_and_set(folder: Path) -> None:
    """A model that fails under attack in `broken`, and a held-out set with and without labels in `set.csv`."""
    model = BertForSequenceClassification.from_pretrained(folder / "teacher")
    with torch.no_grad():
        model.classifier.bias.fill_(float("nan"))
    model.save_pretrained(folder / "broken")
    AutoTokenizer.from_pretrained(folder / "teacher").save_pretrained(folder / "broken")
    rows = ("a good film,positive,swap,1", "a bad film,negative,swap,1", "the plot,,names,2", "the story,,names,2")
    (folder / "set.csv").write_text("\n".join(("text,label,group,pair", *rows)) + "\n")


def test_every_command_prints_the_documented_keys_and_no_others(printed: list[tuple[str, Any]]) -> None:
    page = Page(TEXT)
    assert [line for title, data in printed for line in page.differences(title, data)] == []
    # Parts that a run of this size does not print.
    at_work = AtWork(3, "3fa9c2d1", Stage("attack pruthi", 1, 9, 1.0))
    standing = standing_data(Standing(1.0, (Stage("teacher", 1, 9, 1.0),), (at_work,)))
    assert page.differences("standing", json.loads(json.dumps(standing))) == []
    pairs, source = Agreement(3, 1.0, 1.0), (("token_dropout", 0.1),)
    genes = (("learning_rate", 0.01),)
    assert page.differences("episode", asdict(EpisodeAgreement(1, pairs, pairs))) == []
    assert page.differences("genotype", Genotype(8, 8, "mean", (Node("glu"),), source, genes).to_dict()) == []
    rung = asdict(Rung(0.25, 10, 0.5, 0.8, 0.9, 0.7, 100, ("max_parameters",)))
    assert page.differences("rung", json.loads(json.dumps(rung))) == []
    lineage = asdict(Lineage("0123", 10, "parent", "4567", "89ab", 1, 0.5, (1, 0), ("norm",)))
    assert page.differences("lineage", json.loads(json.dumps(lineage))) == []
    worst = next(data for title, data in printed if title == "attack")["models"][0]["worst"]
    assert page.differences("robustness", worst | {"stopped": asdict(Stopped(50, 200, 0.2, 0.05))}) == []
    assert {place for place in page.places - page.seen if not place.startswith(ELSEWHERE)} == set()


def test_a_key_renamed_in_the_code_is_a_difference_at_any_depth(printed: list[tuple[str, Any]]) -> None:
    search = copy.deepcopy(printed[0][1])
    search["failures"][0]["reason"] = search["failures"][0].pop("kind")
    search["front"][0]["under_attack"]["lower"] = search["front"][0]["under_attack"].pop("low")
    assert set(Page(TEXT).differences("search", search)) == {
        "search: failures: reason is not documented",
        "search: failures.kind is not printed",
        "record in brief: under_attack: lower is not documented",
        "interval: low is not printed",
    }


@pytest.mark.parametrize(
    ("title", "old", "new"),
    [
        ("search", "| `failures.kind`", "| `failures.sort`"),
        ("show", "| `similarity` |", "| `likeness` |"),
        ("attack", "`stopped` |", "`halted` |"),
        ("distil", "`task.rows.train`", "`task.rows.training`"),
        ("check", "optional: its rows and labels", "its rows and labels"),
    ],
)
def test_a_key_renamed_on_the_page_is_a_difference(
    title: str, old: str, new: str, printed: list[tuple[str, Any]]
) -> None:
    assert TEXT.count(old) == 1
    page = Page(TEXT.replace(old, new))
    assert [line for name, data in printed if name == title for line in page.differences(title, data)] != []


@pytest.mark.parametrize(
    ("command", "function"),
    [
        ("resume", "report.summary.describe_run"),
        ("status", "report.summary.describe_run"),
        ("show", "report.summary.describe_record"),
        ("recommend", "report.recommendation.describe"),
        ("check", "run.check.check_resources"),
        ("attack", "attack.tables.report_json"),
        ("attack resources", "attack.tables.resources_json"),
    ],
)
def test_a_number_that_json_does_not_have_is_refused_in_one_line(
    command: str, function: str, searched: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"rosearch.{function}", lambda *_: {"value": float("nan")})
    failed = rosearch(*COMMANDS[command], "--json", cwd=searched[0], expect=1)
    assert failed.stdout == "" and "cannot be printed as JSON" in failed.stderr and "Traceback" not in failed.stderr
