"""What the tests of this folder share: a pretrained model of random weights, and its tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
from distillation.tiny_models import make_tokenizer, save_model


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("pretrained"), make_tokenizer())
