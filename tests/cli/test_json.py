"""The keys of `--json` are public: docs/json.md names those that each command prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from command_line import rosearch
from small_run import write_experiment

PAGE = Path(__file__).parents[2] / "docs/json.md"
RUN = "runs/small-0001"
LATENCY = ("recommend", RUN, "--latency-ms", "1000000")
ATTACK = ("attack", "student", "--attack", "deepwordbug", "--task", "data/test.tsv", "--n", "4")
COMMANDS: dict[str, tuple[str, ...]] = {
    "resume": ("resume", RUN),
    "status": ("status", RUN),
    "show": ("show", RUN, "bert_mini"),
    "stats": ("stats", RUN),
    "recommend": LATENCY,
    "export": ("export", RUN, "--best"),
    "check": ("check", "experiment.yaml"),
    "attack": ATTACK,
    "attack resources": ("attack", "resources"),
    "distil": ("distil", "--student", "bert_mini", "--task", "experiment.yaml", "--to", "distilled"),
}


def documented(title: str) -> set[str]:
    """The keys in the first column of the section that names a command, or has a title."""
    sections = re.split(r"^##+ ", PAGE.read_text(), flags=re.MULTILINE)
    (section,) = (part for part in sections if title in part.splitlines()[0].replace("`", "").split(", "))
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {key for row in rows for key in re.findall(r"`([^`]+)`", row.split("|")[1])}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A small run with latencies, a student of it in `student`, and what the search printed."""
    folder = tmp_path_factory.mktemp("searched")
    timed = {"efficiency": {"tokens": 8, "batch_sizes": [1], "warmup": 1, "repeats": 2}}
    timed["robustness"] = {"search": {"rows": 4}, "report": {"rows": 4}}  # type: ignore[dict-item]
    write_experiment(folder, "classification", baselines=["bert_mini"], finalists={"count": 1}, evaluation=timed)
    printed = rosearch("search", "experiment.yaml", "--json", cwd=folder).data
    rosearch("export", RUN, "--best", "--to", "student", cwd=folder)
    return folder, printed


def test_a_search_prints_the_documented_keys(searched: tuple[Path, dict[str, Any]]) -> None:
    _, printed = searched
    assert set(printed) == documented("search")
    for records in ("front", "candidates", "baselines", "finalists"):
        assert printed[records] and all(set(one) == documented("A record in brief") for one in printed[records])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_the_documented_keys(command: str, searched: tuple[Path, dict[str, Any]]) -> None:
    found = rosearch(*COMMANDS[command], "--json", cwd=searched[0]).data
    assert set(found) == documented(command)


def test_the_parts_of_a_list_have_keys_that_the_page_names(searched: tuple[Path, dict[str, Any]]) -> None:
    page, folder = PAGE.read_text(), searched[0]
    recommended = rosearch(*LATENCY, "--json", cwd=folder).data["recommendations"]
    attacked = rosearch(*ATTACK, "--json", cwd=folder).data["models"]
    states = rosearch("attack", "resources", "--json", cwd=folder).data
    for one in (*recommended, *attacked, *states["resources"], *states["attacks"]):
        assert not [key for key in one if f"`{key}`" not in page]


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
