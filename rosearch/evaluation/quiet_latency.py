"""Milliseconds of one sentence, measured where nothing else runs: a process of its own, pinned to the idlest cores.

The caller keeps the machine quiet: a search measures between generations, while its workers wait. The process warms up,
takes medians, and measures again where the spread is wide. Latency does not depend on the weights, so architectures are
measured with random ones, before anything is trained.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rosearch.config.evaluation import EfficiencyConfig
from rosearch.errors import RosearchError
from rosearch.files import importable
from rosearch.measurements import Latency
from rosearch.space.genotype import Genotype

WIDE = 0.1  # quartile range over median: above it, the model is measured again
ROUNDS = 4  # at most; the one with the narrowest spread counts
_WATCH_S = 0.3  # how long the cores are watched for the idlest
_LIMIT_S = 600.0  # for each model; a process that takes longer hangs

_LATENCIES: TypeAdapter[list[tuple[Latency, ...]]] = TypeAdapter(list[tuple[Latency, ...]])


@dataclass(frozen=True)
class Subject:
    """The model that is timed: an architecture with a table of `vocabulary` words, or the one saved in `folder`."""

    genotype: Genotype | None = None
    vocabulary: int = 30522  # BERT's; latency does not depend on it
    tokenizer: Path | None = None  # an architecture that reads characters spells its pieces
    folder: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """The subject as plain data; None where a field does not apply."""
        return {
            "genotype": None if self.genotype is None else self.genotype.to_dict(),
            "vocabulary": self.vocabulary,
            "tokenizer": None if self.tokenizer is None else str(self.tokenizer),
            "folder": None if self.folder is None else str(self.folder),
        }


def measure_quietly(subjects: Sequence[Subject], config: EfficiencyConfig, threads: int) -> list[tuple[Latency, ...]]:
    """Medians and quartiles of each subject on the CPU at each batch size: `config.tokens` tokens, float32.

    With `config.runtime` `onnx` those of its graph in ONNX Runtime, which takes some more seconds to make.

    Raises `RosearchError` where the process dies or hangs.
    """
    listed = [subject.to_dict() for subject in subjects]
    question = {"subjects": listed, "config": config.model_dump(mode="json"), "threads": threads}
    command = [sys.executable, "-m", "rosearch.evaluation.quiet_latency"]
    # One thread pool of the right size from the start, and no GPU: the threads of its driver are not quiet.
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""}
    environment |= {
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": os.pathsep.join(importable()),
    }  # nothing from where the user is
    limit = _LIMIT_S * len(subjects)
    try:
        done = subprocess.run(
            command, input=json.dumps(question), capture_output=True, text=True, timeout=limit, env=environment
        )
    except subprocess.TimeoutExpired:
        raise RosearchError(f"latency: no answer within {limit:.0f} s") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise RosearchError(f"latency: the process that measures it failed: {reason}") from RuntimeError(reason)
    return _LATENCIES.validate_json(done.stdout)


def idlest_cores(count: int) -> set[int]:
    """The `count` cores with the least load now among those of this process; empty where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return set()
    allowed = sorted(os.sched_getaffinity(0))
    try:
        before = _busy_ticks()
        time.sleep(_WATCH_S)
        after = _busy_ticks()
    except OSError:
        return set()
    return set(sorted(allowed, key=lambda core: (after.get(core, 0) - before.get(core, 0), -core))[:count])


def _busy_ticks() -> dict[int, int]:
    """The clock ticks that each core was busy (Linux)."""
    ticks = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *values = line.split()
        if name.startswith("cpu") and name != "cpu":
            numbers = list(map(int, values))
            ticks[int(name[3:])] = (
                sum(numbers[:8]) - numbers[3] - numbers[4]
            )  # all but the ticks it was idle or waited for a disk
    return ticks


def narrowest(rounds: Sequence[Latency]) -> Latency:
    """The round with the narrowest spread."""
    return min(rounds, key=spread)


def spread(latency: Latency) -> float:
    """The quartile range over the median."""
    return (latency.high_ms - latency.low_ms) / latency.median_ms if latency.median_ms else 0.0


def _answer(question: dict[str, Any]) -> list[tuple[Latency, ...]]:
    """The latencies, measured in the process of its own: torch is loaded only here."""
    threads = int(question["threads"])
    if cores := idlest_cores(threads):
        os.sched_setaffinity(0, cores)  # before torch starts its threads: they inherit it
    import torch

    torch.set_num_threads(threads)
    config = EfficiencyConfig.model_validate(question["config"])
    from rosearch.evaluation.efficiency import in_runtime

    models = (_build(subject, config.tokens) for subject in question["subjects"])
    return [_timed(in_runtime(model, config), config) for model in models]


def _timed(model: Any, config: EfficiencyConfig) -> tuple[Latency, ...]:
    """Latencies at each batch size, measured again where the spread is wide."""
    import torch

    from rosearch.evaluation.efficiency import measure_latency

    found = []
    for size in config.batch_sizes:
        rounds = [measure_latency(model, size, config, torch.device("cpu"))]
        while spread(narrowest(rounds)) > WIDE and len(rounds) < ROUNDS:
            rounds.append(measure_latency(model, size, config, torch.device("cpu")))
        found.append(narrowest(rounds))
    return tuple(found)


def _build(subject: dict[str, Any], tokens: int) -> Any:
    from rosearch.models.saved import load_model, load_tokenizer
    from rosearch.student.build import build_student

    if subject["folder"] is not None:
        from transformers import AutoModel

        return load_model(AutoModel, Path(subject["folder"]))

    pieces = None
    if subject["tokenizer"] is not None:
        tokenizer = load_tokenizer(Path(subject["tokenizer"]))
        pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return build_student(
        Genotype.from_dict(subject["genotype"]),
        labels=("0", "1"),
        problem="classification",
        vocabulary=len(pieces) if pieces else subject["vocabulary"],
        positions=tokens,
        token_types=1,
        pad_token_id=0,
        dropout=0.0,
        seed=0,
        pieces=pieces,
    )


if __name__ == "__main__":
    gc.disable()  # as timeit does: no pass waits for the collector, and a short process leaves little garbage
    print(_LATENCIES.dump_json(_answer(json.load(sys.stdin))).decode(), flush=True)
    os._exit(0)  # skips taking the objects of torch and transformers apart
