"""The commands of docs/tutorial.md, as the page has them but for a shorter search, on files of a user's kind."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import rosearch
from own_data import QUEUES, fine_tune, write_own_data

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
SHORT = [
    *("-o", "evolution={candidates: 2, population: 2, elite: 1}", "-o", "baselines=[]", "-o", "finalists.count=1"),
    *("-o", "distillation.max_steps=12", "-o", "distillation.batch_size=16", "-o", "execution.workers=0"),
    *("-o", "evaluation.robustness.search.rows=4", "-o", "evaluation.robustness.report.rows=4"),
    *("-o", "fitness={min_quality: 0, max_class_share: 1, min_invariance: 0, min_purity: 0}"),
]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    write_own_data(tmp_path)
    fine_tune(tmp_path)
    return tmp_path


def test_a_reader_gets_from_a_csv_and_a_folder_to_answers_in_at_most_five_commands(mine: Path) -> None:
    check, search, export, ask = COMMANDS  # a check within 2, a search within 3, answers within 5
    assert "all well" in rosearch(*words(check), cwd=mine).stdout
    assert "runs/my-0001" in rosearch(*words(search), *SHORT, cwd=mine).stdout
    assert "student" in rosearch(*words(export), cwd=mine).stdout
    assert set(answers(ask, mine)) <= set(QUEUES)


def test_the_page_shows_files_of_the_kind_that_the_test_makes(tmp_path: Path) -> None:
    write_own_data(tmp_path)
    assert (tmp_path / "tickets.csv").read_text().splitlines()[0] in PAGE.splitlines()
    assert COMMANDS[0].split()[:3] == ["rosearch", "init", "my.yaml"] and len(COMMANDS) <= 5


def words(command: str) -> list[str]:
    """The arguments of a command of rosearch, which a shell would read the same."""
    program, *arguments = shlex.split(command)
    assert program == "rosearch" and not set(command) & set("|&;$<>`*")
    return arguments


def answers(command: str, folder: Path) -> list[str]:
    """The labels that the page's snippet prints in a process that has transformers but not rosearch."""
    program, option, code = shlex.split(command)
    assert (program, option) == ("python", "-c")
    stranger = f"import sys, warnings; sys.modules['rosearch'] = None; warnings.simplefilter('ignore')\n{code}"
    caches = {"HF_HOME": str(folder / "hf"), "HF_MODULES_CACHE": str(folder / "modules"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", stranger], cwd=folder, env=os.environ | caches, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r"'label': '(\w+)'", done.stdout)
    assert len(found) == 2
    return found
