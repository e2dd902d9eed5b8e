"""What the tests of this folder share: a pretrained model of random weights, and its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from training.tiny_models import make_tokenizer, save_model


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return make_tokenizer()


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    return save_model(tmp_path_factory.mktemp("pretrained"), tokenizer)
