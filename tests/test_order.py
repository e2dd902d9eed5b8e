"""The suite itself: neither luck nor order decides."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import settings


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


@pytest.fixture
def seed_generators(request: pytest.FixtureRequest) -> Callable[[str], None]:
    plugins = request.config.pluginmanager.get_plugins()
    return next(plugin.seed_generators for plugin in plugins if hasattr(plugin, "seed_generators"))


def test_global_generators_begin_with_the_name_of_the_test(
    request: pytest.FixtureRequest, seed_generators: Callable[[str], None]
) -> None:
    found = draws()
    seed_generators(request.node.nodeid)
    assert draws() == found
    seed_generators("another test")
    assert draws() != found


def test_examples_of_hypothesis_have_no_deadline_and_follow_from_the_test() -> None:
    assert settings().deadline is None
    assert settings().derandomize
