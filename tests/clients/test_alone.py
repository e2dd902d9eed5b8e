"""A fresh environment with ONNX Runtime and `tokenizers` alone, and the lines of docs/how-to/clients.md, predict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from clients.students import TEXTS, TYPOS

from rosearch.export.predictions import open_classifier
from tests.pages import ROOT

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of such an environment, made as the page says."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", place / ".venv"], check=True)
    python = place / ".venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "onnxruntime", "tokenizers"], check=True, timeout=900)
    return python


def run(python: Path, *given: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run([python, *given], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("name", ["torch", "transformers", "rosearch"])
def test_it_has_none_of_them(name: str, python: Path, tmp_path: Path) -> None:
    assert f"No module named '{name}'" in run(python, "-c", f"import {name}", cwd=tmp_path).stderr


@pytest.mark.parametrize("kind", ["in_onnx", "encoded"])
def test_it_gives_the_labels_of_predict(
    kind: str, python: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(kind)
    page = (ROOT / "docs/how-to/clients.md").read_text(encoding="utf-8")
    (tmp_path / "predict.py").write_text(page.split("predict.py:\n\n```python\n")[1].split("```")[0])
    classifier = open_classifier(folder, "onnx")
    for text in TYPOS if kind == "encoded" else TEXTS:
        done = run(python, "predict.py", folder, text, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == next(classifier.answers([(1, (text,))]))[0].label
