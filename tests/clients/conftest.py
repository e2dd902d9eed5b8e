"""Students that stock clients are given: their folders are made once for all clients."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from clients.students import exported

from rosearch.export.formats import FORMATS


@pytest.fixture(scope="session")
def in_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of single texts, as ONNX and for transformers.js too."""
    folder = exported(tmp_path_factory.mktemp("texts"), "texts")
    FORMATS["transformersjs"].export(folder)
    return folder


@pytest.fixture(scope="session")
def pairs_in_onnx(in_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of pairs, likewise; its weights, and so its graph, are the other's."""
    folder = exported(tmp_path_factory.mktemp("pairs"), "pairs")
    shutil.copytree(in_onnx / "onnx", folder / "onnx")
    FORMATS["transformersjs"].export(folder)
    return folder


@pytest.fixture(scope="session")
def encoded(in_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student whose tokenizer encodes words, in its Hugging Face folder and as ONNX; its graph is the other's too."""
    folder = exported(tmp_path_factory.mktemp("encoded"), "encoded")
    shutil.copytree(in_onnx / "onnx", folder / "onnx")
    return folder
