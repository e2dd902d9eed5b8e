"""Shared by all tests: one torch thread, no network for libraries that would look for a hub, and little garbage."""

from __future__ import annotations

import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# torch, transformers and textattack hold half a million objects that stay: to look through them again and again for
# garbage takes longer than many a test.
gc.set_threshold(20_000, 20, 10)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
