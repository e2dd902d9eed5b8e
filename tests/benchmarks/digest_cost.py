"""The share of a candidate's time that digests take.

    python -m tests.benchmarks.digest_cost [--json] [--experiment experiments/quickstart.yaml] [--candidates 4]

A search runs in this process in a new folder. Given are the processor seconds spent on digests, written and compared,
from the first row to the last (those of teacher and caches included), for each candidate; the seconds of a candidate
by its record; and the share of the one in the other. Beside them stands the speed of digests in GB/s (10^9 bytes) on
blocks of 64 KiB in memory: CRC-32 is the one that is used for folders, blake2b for single files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from rosearch import files
from rosearch.config.file import load_experiment
from rosearch.data.mapped import CheckedRows
from rosearch.search import run_search

ROOT = Path(__file__).parents[2]
DIGESTS: dict[str, Callable[[memoryview], object]] = {
    "crc32": zlib.crc32,
    "blake2b": lambda block: hashlib.blake2b(block, digest_size=32).digest(),
    "sha256": lambda block: hashlib.sha256(block).digest(),
}
# All that writes or compares digests ends in one of these.
_WORK: tuple[tuple[Any, str], ...] = (
    (files, "damage"),
    (files, "write_digests"),
    (files, "seal"),
    (files, "_crc_blocks"),
    (files, "_is_sealed"),
    (CheckedRows, "_compare"),
)


@contextmanager
def counted() -> Iterator[Callable[[], float]]:
    """Inside, the processor seconds that this process spends on digests are counted; gives a function that tells."""
    spent, depth = [0.0], [0]

    def timed(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            start, depth[0] = time.process_time(), depth[0] + 1
            try:
                return work(*arguments, **named)
            finally:
                depth[0] -= 1
                spent[0] += 0.0 if depth[0] else time.process_time() - start

        return run

    with ExitStack() as stack:
        for owner, name in _WORK:
            stack.enter_context(patch.object(owner, name, timed(getattr(owner, name))))
        yield lambda: spent[0]


def measure(experiment: Path, candidates: int, folder: Path) -> dict[str, Any]:
    """The seconds of a search with so many candidates below a folder."""
    changes = ["execution.workers=0", f"evolution.candidates={candidates}", f"evolution.population={candidates}"]
    with counted() as spent:
        results = run_search(load_experiment(experiment, changes), runs=folder)
    done = [record for record in results.records if record.status == "done"]
    seconds = sum(sum(record.seconds.values()) for record in done) / len(done)
    digests = spent() / len(done)
    return {
        "candidates": len(done),
        "seconds_candidate": round(seconds, 3),
        "seconds_digests": round(digests, 5),
        "share": round(digests / seconds, 6),
    }


def speeds(mebibytes: int = 64) -> dict[str, float]:
    """GB/s of each digest on blocks of 64 KiB; the best of three."""
    data = memoryview(np.random.default_rng(0).bytes(mebibytes << 20))
    blocks = [data[at : at + files.BLOCK] for at in range(0, len(data), files.BLOCK)]

    def seconds(digest: Callable[[memoryview], object]) -> float:
        start = time.process_time()
        for block in blocks:
            digest(block)
        return time.process_time() - start

    best = {name: min(seconds(digest) for _ in range(3)) for name, digest in DIGESTS.items()}
    return {name: round(len(data) / 1e9 / max(spent, 1e-9), 2) for name, spent in best.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--experiment", type=Path, default=ROOT / "experiments" / "quickstart.yaml")
    parser.add_argument("--candidates", type=int, default=4)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = {**measure(given.experiment, given.candidates, Path(folder)), "gb_per_second": speeds()}
    if given.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['seconds_digests']} s of {found['seconds_candidate']} s a candidate: {found['share']:.3%}")
    print(", ".join(f"{name} {speed} GB/s" for name, speed in found["gb_per_second"].items()))


if __name__ == "__main__":
    main()
