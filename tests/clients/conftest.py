"""Students that stock clients are given: their folders are made once for all clients."""

from __future__ import annotations

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
def pairs_in_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of pairs, likewise."""
    folder = exported(tmp_path_factory.mktemp("pairs"), "pairs")
    FORMATS["transformersjs"].export(folder)
    return folder


@pytest.fixture(scope="session")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student whose tokenizer encodes words, in its Hugging Face folder and as ONNX."""
    folder = exported(tmp_path_factory.mktemp("encoded"), "encoded")
    FORMATS["onnx"].export(folder)
    return folder
