"""All that the README and the pages show is run: commands in a short form, snippets as they stand.

Files of YAML are used by the commands below them; parts of experiments and spaces are read with the rest around them.
The list of what is not run, and why, is `NOT_RUN`; a line of it that no page needs is a failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
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

# By the beginning of a page's path, and of a command or snippet.
NOT_RUN = {
    "README.md": {"pip install": "the first step of .ci/run"},
    "docs/install.md": {
        "pip install": "the wheel is installed by .ci/run, in an environment of its own",
        "uv pip install": "needs uv; its overrides are tried by .ci/run with pip",
        "rosearch --install-completion": "writes into the settings of a shell",
        "rosearch --show-completion": "asks which shell it was started from",
    },
    "docs/tutorial.md": {"": "tests/test_tutorial.py runs them, one after the other"},
    "docs/how-to/gpu.md": {
        "pip install": "the first step of .ci/run",
        "python -m tests.gpu_acceptance": "needs a GPU; tests/test_gpu_acceptance.py tries it on a CPU",
    },
    "docs/how-to/formats.md": {
        "rosearch export runs/quickstart-0001 --where": "its run has no such student; tests/cli/test_app.py",
    },
    "docs/how-to/onnx.md": {'pip install "rosearch[onnx]': "the extra test brings it"},
    "docs/how-to/int8.md": {
        'pip install "rosearch[onnx]': "the extra test brings it",
        "rosearch export ./student --target int8 --task dev.tsv --attack": "its gates are of the reader's student",
        "rosearch export ./student --target int8 --task dev.tsv": "as above; with --int8 force it is run",
    },
    "docs/how-to/openvino.md": {
        'pip install "rosearch[openvino]': "installed for the tests marked openvino",
        "rosearch export ./student --target openvino": "the tests marked openvino write each student so",
        "import openvino": "as above",
    },
    "docs/contributing.md": {"TRANSFORMERS_JS": "needs programs of others"},
    "docs/how-to/serve.md": {
        "pip install": "the extra test brings both",
        "rosearch distil": "docs/how-to/formats.md runs it",
        "rosearch export": "likewise",
        "python serve.py": "tests/clients/test_serving.py runs the script of the page",
        "curl": "asks a server that waits; tests/clients/test_serving.py asks it",
        '"""Answers texts over HTTP': "waits for requests; tests/clients/test_serving.py runs it as it stands",
    },
    "docs/how-to/clients.md": {
        "pip install": "each client is installed for the tests marked clients",
        "npm install": "likewise",
        "rosearch export": "the tests marked clients write each of its folders, and a stand-in is the hub",
        "textattack attack": "the tests marked clients run it",
        "from textattack": "likewise, as it stands in the card",
        "from optimum": "needs an environment of its own; tests/clients/test_optimum.py",
        "python -m venv": "tests/clients/test_alone.py makes such an environment",
        ".venv/bin": "likewise",
        "import json": "tests/clients/test_alone.py runs it in such an environment",
    },
    "docs/how-to/track.md": {
        "pip install": "the extra is installed for the tests marked track",
        "rosearch search quickstart -o": "the tests marked track run such searches",
        "tensorboard": "waits for a browser",
        "mlflow ui": "waits for a browser",
        "wandb sync": "needs an account",
        "MLFLOW_TRACKING_URI": "needs a server",
        "TRACKIO_DIR": "waits for a browser",
    },
    "docs/how-to/scale.md": {
        "pip install": "the extra is installed for the tests marked ray",
        "rosearch search quickstart -o execution.backend=ray": "test_ray_search.py runs such a search",
        "rosearch search quickstart -o execution.devices=auto": "docs/how-to/devices.md runs it",
        "rosearch search sst2 --runs /shared": "needs several machines",
        "ray start": "needs several machines; the tests marked ray make clusters of two nodes on one",
        "ray stop": "needs several machines",
        "sbatch": "needs SLURM",
    },
    "docs/how-to/report.md": {
        "rosearch report runs/quickstart-0001 --serve": "waits for Ctrl-C; tests/report/test_serving.py",
        "rosearch compare": "the second run here is a copy, which is refused; tests/cli/test_app.py compares runs",
        "rosearch report runs/quickstart-0001 runs/quickstart-0002": "likewise; tests/cli/test_report.py",
        "rosearch export runs/quickstart-0001 --format optuna": "the tests marked track write studies",
        "optuna-dashboard": "waits for a browser; the tests marked track ask it",
    },
    "docs/results/sst2_page.md": {"rosearch search sst2": "needs GLUE's files"},
    "docs/attack.md": {
        "rosearch attack ./model --attack pwws": LISTS,
        "rosearch attack ./teacher ./student --attack deepwordbug,pwws": LISTS,
        "rosearch attack student --attack deepwordbug,pwws": LISTS,
        "rosearch attack teacher student --attack deepwordbug,pwws": LISTS,
        "# my_attacks.py": "a module of the user's; tests/run/test_check.py searches with such a one",
    },
    "docs/resources.md": {
        "from pathlib": LISTS,
        "rosearch attack resources --make": "minutes of work; tests/cli/test_attack.py makes a small one",
    },
    "docs/distil.md": {"rosearch distil --method mate_kd": "its student comes from the hub"},
    "docs/methods/kd_nas.md": {
        "rosearch distil --student runs/": ENCODER,
        "rosearch distil --student layers:0,2,4": "needs SIB-200",
        "rosearch attack ./student": "needs SIB-200",
    },
    "docs/methods/mate_kd.md": {"rosearch distil": "needs a teacher with a mask token, which .ci/run has"},
    "docs/methods/robust_encodings.md": {"tokenizer = ": "tests/student/test_tokenization_rosearch.py loads such"},
    "docs/concepts/statistics.md": {"": "its runs are a reader's; tests/cli/test_app.py pools and compares runs"},
    "docs/methods/": {"python -m tests.benchmarks": "minutes of work; its parts are tested below tests/benchmarks"},
    "docs/results/": {"": "hours of work on real data; each page says what it took"},
}


def skipped(page: Path, text: str) -> tuple[str, str] | None:
    """The line of `NOT_RUN` that a command or snippet falls under."""
    name = page.relative_to(ROOT).as_posix()
    lines = [(place, start) for place, starts in NOT_RUN.items() if name.startswith(place) for start in starts]
    return next((line for line in lines if text.lstrip("> ").startswith(line[1])), None)


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
    elif data := yaml.safe_load(block.text) if block.language == "yaml" else None:
        if {"source", "training"} & set(data):  # a part of a search space
            data = {"search_space": str(with_part_of_space(data, folder))}
        has_task = "corpus" not in data and data.get("distillation", {}).get("target") != "encoder"
        package.load_experiment("sst2" if has_task else "kd_nas", list(settings(data)))


def with_part_of_space(data: dict[str, Any], folder: Path) -> Path:
    """A whole space that has the part which a page shows; what is no key is refused here."""
    path = folder / "part.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load((folder / "small.yaml").read_text()) | data))
    package.load_space(path)
    return path


def settings(data: dict[str, Any], above: str = "") -> Iterator[str]:
    """The keys of a part of an experiment, as overrides: what is no key is refused where they are read."""
    for key, value in data.items():
        if isinstance(value, dict):
            yield from settings(value, f"{above}{key}.")
        else:
            yield f"{above}{key}={json.dumps(value)}"


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
    assert {skipped(page, text) for page, text in shown} - {None} == {
        (place, start) for place, starts in NOT_RUN.items() for start in starts
    }
    assert len([text for page, text in shown if not skipped(page, text)]) > 80


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_block_with_commands_says_that_it_has_them(page: Path) -> None:
    known = {"", "bash", "console", "python", "yaml", "json"}
    assert [block.place for block in blocks(page) if block.language not in known] == []
    assert [block.place for block in blocks(page) if not block.language and block.text.startswith("$ ")] == []
