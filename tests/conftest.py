"""Shared by all tests: one torch thread, no network for libraries that would look for a hub, and little garbage.

No test depends on speed or luck: no deadline for hypothesis, and generators seeded by the name of test or fixture.
`pytest --order SEED` runs files, and the tests of each, in another order.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import zlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Test modules of equal names live in several folders, so pytest imports them by path, and scripts that tests start
# find their helpers below this folder.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# A shell has what it starts with `&` ignore SIGINT, and children inherit that: tests of Ctrl-C would wait for nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# torch, transformers and textattack hold half a million objects that stay: to look through them again and again for
# garbage takes longer than many a test.
gc.set_threshold(20_000, 20, 10)

# Examples follow from the test alone. A crowded machine is no fault of a test, hence no deadline and no check of speed.
settings.register_profile("tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


def seed_generators(name: str) -> None:
    seed = zlib.crc32(name.encode())
    random.seed(seed)
    np.random.seed(seed)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
    """What tests share is the same, whichever of them asks for it first."""
    if fixturedef.scope != "function":
        seed_generators(f"{fixturedef.baseid}::{fixturedef.argname}{getattr(request, 'param_index', '')}")


@pytest.fixture(autouse=True)
def seeded_by_name(request: pytest.FixtureRequest) -> None:
    seed_generators(request.node.nodeid)


@pytest.fixture(autouse=True)
def closed_pipes_raise() -> Iterator[None]:
    """`--help` has a closed pipe end the program: here, all tests, once a worker of theirs is killed."""
    before = signal.getsignal(signal.SIGPIPE)
    yield
    signal.signal(signal.SIGPIPE, before)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--order", type=int, metavar="SEED", help="run files, and the tests of each, in an order drawn so")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every xdist worker draws the same order."""
    if (seed := config.getoption("--order")) is not None:
        rng = random.Random(seed)
        files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
        rng.shuffle(files)
        for tests in files:
            rng.shuffle(tests)
        items[:] = [test for tests in files for test in tests]


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
