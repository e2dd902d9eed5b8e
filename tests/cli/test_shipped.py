from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import rosearch

import rosearch as package
from rosearch.config.shipped import EXPERIMENTS, SPACES, Shelf

HEAVY = {"torch", "pandas", "transformers", "sqlalchemy", "networkx"}


def completed(words: str, cwd: Path) -> list[str]:
    """The completions that the program gives bash for the last word."""
    asked = {"_ROSEARCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    code = "import sys; sys.argv = ['rosearch']; from rosearch.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=os.environ | asked, capture_output=True, text=True)
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(("command", "shelf"), [("experiments", EXPERIMENTS), ("spaces", SPACES)])
def test_what_comes_with_rosearch_is_listed_with_one_line_each_on_80_columns(
    command: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("rosearch.terminal.console.out._width", 80)
    printed = rosearch(command, cwd=tmp_path).stdout.splitlines()
    for one in shelf.entries():
        assert any(line.split(maxsplit=1) == [one.name, one.about] for line in map(str.strip, printed)), one.name
    listed = rosearch(command, "--json", cwd=tmp_path).data[command]
    assert [one["name"] for one in listed] == shelf.names()
    assert all(Path(one["file"]).is_file() for one in listed)


def test_a_copied_experiment_passes_its_check_with_the_command_that_is_printed(tmp_path: Path) -> None:
    printed = rosearch("experiments", "--copy", "quickstart", "--to", "my experiment.yaml", cwd=tmp_path).stdout
    assert printed == "Copied to my experiment.yaml. Next: rosearch check 'my experiment.yaml'\n"
    assert "all well" in rosearch("check", "my experiment.yaml", cwd=tmp_path).stdout


def test_a_copied_space_is_named_as_the_printed_line_says(tmp_path: Path) -> None:
    printed = rosearch("spaces", "--copy", "tiny", cwd=tmp_path).stdout
    assert printed == "Copied to tiny.yaml. An experiment beside it names it: search_space: tiny.yaml\n"
    found = rosearch("check", "quickstart", "-o", "search_space=tiny.yaml", "--json", cwd=tmp_path).data
    assert found["space"].startswith("tiny: ")


def test_names_do_for_paths_in_every_command_that_takes_an_experiment(tmp_path: Path) -> None:
    assert "rosearch search quickstart" in rosearch("check", "quickstart", cwd=tmp_path).stdout
    for command in (
        ("search", "quikstart"),
        ("teacher", "quikstart", "--to", "x"),
        ("distil", "--student", "bert_mini", "--task", "quikstart", "--to", "x"),
    ):
        assert "Did you mean quickstart," in rosearch(*command, cwd=tmp_path, expect=3).stderr


def test_a_copy_never_replaces_a_file_unless_told(tmp_path: Path) -> None:
    rosearch("spaces", "--copy", "tiny", cwd=tmp_path)
    assert "exists already" in rosearch("spaces", "--copy", "tiny", cwd=tmp_path, expect=5).stderr
    copied = rosearch("spaces", "--copy", "tiny", "--overwrite", "--json", cwd=tmp_path).data
    assert copied == {"name": "tiny", "file": "tiny.yaml"}


def test_a_place_without_a_copy_is_a_misused_command(tmp_path: Path) -> None:
    assert "--copy" in rosearch("experiments", "--to", "x.yaml", cwd=tmp_path, expect=2).stderr


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert rosearch("--version", cwd=tmp_path).stdout == f"rosearch {package.__version__}\n"


def test_a_shell_completes_commands_options_and_names(tmp_path: Path) -> None:
    assert completed("rosearch sp", tmp_path) == ["spaces"]
    assert completed("rosearch search qui", tmp_path) == ["quickstart"]
    assert completed("rosearch distil --task robustness/ss", tmp_path) == ["robustness/sst2"]
    assert completed("rosearch attack ./model --task agn", tmp_path) == ["agnews"]
    assert completed("rosearch spaces --copy kd_nas_s", tmp_path) == ["kd_nas_small"]
    assert "--runs" in completed("rosearch search quickstart --r", tmp_path)
    assert completed("rosearch search mine/", tmp_path) == []  # the shell then offers files


def test_a_list_loads_neither_torch_nor_pandas(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['rosearch', 'experiments']; from rosearch.cli import main\ntry:\n    main()\n"
    code += "except SystemExit:\n    print(*sys.modules, file=sys.stderr)\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "rosearch.config.shipped" in done.stderr.split() and not HEAVY & set(done.stderr.split())
