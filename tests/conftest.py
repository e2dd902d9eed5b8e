"""Shared by all tests: one torch thread, no network for libraries that would look for a hub, and little garbage."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

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


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
