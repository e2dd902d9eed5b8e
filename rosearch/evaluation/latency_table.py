"""Latencies that were measured on this machine, kept in the cache: an architecture is timed once, whatever the run.

One file for each machine, named by its fingerprint: what was measured on another one is never taken for this one's.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock
from pydantic import TypeAdapter

from rosearch.config import EfficiencyConfig
from rosearch.evaluation.quiet_latency import Subject, measure_quietly
from rosearch.records.measurements import Latency
from rosearch.records.run_directory import write_whole

Table = dict[str, tuple[Latency, ...]]

_TABLE: TypeAdapter[Table] = TypeAdapter(Table)


def machine() -> str:
    """What latency depends on beside the model: processor, number of cores, system, torch's version; in words."""
    parts = (
        _processor(),
        f"{os.cpu_count()} cores",
        platform.system(),
        platform.machine(),
        f"torch {version('torch')}",
    )
    return ", ".join(parts)


def fingerprint() -> str:
    """12 hex digits of `machine`."""
    return hashlib.blake2b(machine().encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class LatencyTable:
    """The table of this machine below a cache folder. Several processes may use it: one measures at a time."""

    cache: Path

    @property
    def path(self) -> Path:
        """Its file."""
        return self.cache / "latency" / f"{fingerprint()}.json"

    def latencies(
        self, subjects: Sequence[Subject], config: EfficiencyConfig, threads: int
    ) -> list[tuple[Latency, ...]]:
        """Of each subject at each batch size, from the table; what is not there is measured now, and kept.

        Raises `RosearchError` as measuring does.
        """
        asked = {_key(subject, config, threads): subject for subject in subjects}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")):  # two measurements at a time would disturb each other
            table = self._read()
            if missing := [key for key in asked if key not in table]:
                found = measure_quietly([asked[key] for key in missing], config, threads)
                table |= zip(missing, found, strict=True)
                text = {"machine": machine(), "table": _TABLE.dump_python(table, mode="json")}
                write_whole(self.path, json.dumps(text, indent=1) + "\n")
        return [table[_key(subject, config, threads)] for subject in subjects]

    def _read(self) -> Table:
        """What is kept; nothing where the file is absent or damaged."""
        try:
            return _TABLE.validate_python(json.loads(self.path.read_text(encoding="utf-8"))["table"])
        except (OSError, ValueError, KeyError, TypeError):
            return {}


def _key(subject: Subject, config: EfficiencyConfig, threads: int) -> str:
    """What is timed and how. The size of a word table has no say: a row of it is looked up, whatever their number.

    Of a saved model the configuration counts, not the weights.
    """
    if subject.genotype is not None:
        what = subject.genotype.id
    else:
        assert subject.folder is not None
        what = hashlib.blake2b((subject.folder / "config.json").read_bytes(), digest_size=8).hexdigest()
    sizes = ",".join(map(str, config.batch_sizes))
    return f"{what} {sizes}x{config.tokens} {threads} threads {config.warmup}+{config.repeats}"


def _processor() -> str:
    """Its name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"
