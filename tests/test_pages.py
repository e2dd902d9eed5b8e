"""All that the README and the pages show is run: commands in a short form, snippets as they stand.

The list of what is not run, and why, is `NOT_RUN`; a line of it that no page needs is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import rosearch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rosearch as package
from tests import scene
from tests.pages import PAGES, ROOT, Block, blocks, in_short, overrides, words

LISTS = "needs word lists, which are not shipped"
ENCODER = "ID stands for a reader's own run; tests/run/test_encoder_search.py goes on from an encoder"

# By the beginning of a page's path and of a command or snippet.
NOT_RUN = {
    ("README.md", "pip install"): "the first step of .ci/run",
    ("docs/install.md", "pip install"): "the wheel is installed by .ci/run, in an environment of its own",
    ("docs/install.md", "uv pip install"): "needs uv; its overrides are tried by .ci/run with pip",
    ("docs/install.md", "rosearch --install-completion"): "writes into the settings of a shell",
    ("docs/install.md", "rosearch --show-completion"): "asks which shell it was started from",
    ("docs/attack.md", "rosearch attack ./model --attack pwws"): LISTS,
    ("docs/attack.md", "rosearch attack ./teacher ./student --attack deepwordbug,pwws"): LISTS,
    ("docs/attack.md", "rosearch attack student --attack deepwordbug,pwws"): LISTS,
    ("docs/attack.md", "rosearch attack teacher student --attack deepwordbug,pwws"): LISTS,
    ("docs/attack.md", "# my_attacks.py"): "a module of the user's; tests/run/test_check.py searches with such a one",
    ("docs/distil.md", "rosearch distil --method mate_kd"): "its student comes from the hub",
    ("docs/howto/gpu.md", "pip install"): "the first step of .ci/run",
    (
        "docs/howto/gpu.md",
        "python -m tests.gpu_acceptance",
    ): "needs a GPU; tests/test_gpu_acceptance.py tries it on a CPU",
    ("docs/methods/kd_nas.md", "rosearch distil --student runs/"): ENCODER,
    ("docs/methods/kd_nas.md", "rosearch distil --student layers:0,2,4"): "needs SIB-200",
    ("docs/methods/kd_nas.md", "rosearch attack ./student"): "needs SIB-200",
    ("docs/methods/mate_kd.md", "rosearch distil"): "needs a teacher with a mask token, which .ci/run has",
    (
        "docs/methods/robust_encodings.md",
        "tokenizer = ",
    ): "tests/student/test_tokenization_rosearch.py loads such a folder",
    ("docs/resources.md", "from pathlib"): LISTS,
    ("docs/tutorial.md", ""): "tests/test_tutorial.py runs them, one after the other",
    ("docs/results/", ""): "hours of work on real data; each page says what it took",
    (
        "docs/methods/",
        "python -m tests.benchmarks",
    ): "minutes of work on real data; its parts are tested below tests/benchmarks",
}


def skipped(page: Path, text: str) -> tuple[str, str] | None:
    """The line of `NOT_RUN` that a command or snippet falls under."""
    name = page.relative_to(ROOT).as_posix()
    return next((key for key in NOT_RUN if name.startswith(key[0]) and text.lstrip("> ").startswith(key[1])), None)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    scene.prepare(folder)
    return folder


@pytest.fixture
def place(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the scene to stand in, where Python finds short experiments as well."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROSEARCH_DATA", str(tmp_path / "data"))
    load = package.load_experiment

    def load_short(path: str | Path, given: Any = (), data_root: str | Path | None = None) -> Any:
        data = tmp_path / "data" if path == "sst2" else None
        return load(path, [*given, *overrides(str(path))], data_root or data)

    monkeypatch.setattr(package, "load_experiment", load_short)
    return tmp_path


def run_command(block: Block, command: str, folder: Path) -> None:
    line, _, target = command.partition(" > ")
    if words(line)[0] == "rosearch":
        make_room([made for option, made in pairwise(words(line)) if option == "--to"], folder)
        printed = rosearch(*in_short(words(line))[1:], cwd=folder)
        if target:
            (folder / words(target)[0]).write_text(printed.stdout)
        return
    if words(line)[0] == "cat":
        (folder / words(line)[1]).write_text(block.output(command))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-ec", command], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def make_room(names: list[str], folder: Path) -> None:
    """The scene has models that some pages make."""
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)


def run_block(block: Block, names: dict[str, Any], folder: Path) -> None:
    for command in block.commands:
        if not skipped(block.page, command):
            run_command(block, command, folder)
    if block.code and not skipped(block.page, block.code):
        make_room(re.findall(r'distil_student\(\w+, "\w+", "([\w/.]+)"', block.code), folder)
        exec(compile("\n" * block.line + block.code, block.page.name, "exec"), names)
    if block.file:
        (folder / block.file).write_text(block.text)
    elif block.language == "yaml":
        assert isinstance(yaml.safe_load(block.text), dict | None), block.place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_shows_runs(page: Path, place: Path) -> None:
    """The snippets of a page share their names, and have a model and the folder of an export where they begin."""
    model = AutoModelForSequenceClassification.from_pretrained("my-bert")
    tokenizer = AutoTokenizer.from_pretrained("my-bert")
    names = {"__name__": "__main__", "model": model, "tokenizer": tokenizer, "folder": "my-bert"}
    for block in blocks(page):
        run_block(block, names, place)


def test_what_is_not_run_is_named_with_its_reason_and_no_line_is_left_over() -> None:
    shown = [(page, text) for page in PAGES for block in blocks(page) for text in (*block.commands, block.code) if text]
    assert {skipped(page, text) for page, text in shown} - {None} == set(NOT_RUN)
    assert len([text for page, text in shown if not skipped(page, text)]) > 80


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_block_with_commands_says_that_it_has_them(page: Path) -> None:
    known = {"", "bash", "console", "python", "yaml", "json"}
    assert [block.place for block in blocks(page) if block.language not in known] == []
    assert [block.place for block in blocks(page) if not block.language and block.text.startswith("$ ")] == []
