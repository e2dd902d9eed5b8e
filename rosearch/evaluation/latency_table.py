"""Latencies that were measured on this machine, kept in the cache: an architecture is timed once, whatever the run.

Each machine has a file, named by its fingerprint, so that a latency of another machine is never taken for its own. A
machine's load and clock change from day to day. Every run therefore times its teacher anew; if the result differs from
the table, the table starts again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter

from rosearch.config.evaluation import EfficiencyConfig
from rosearch.evaluation.quiet_latency import Subject, measure_quietly
from rosearch.files import content, locked, write_whole
from rosearch.measurements import Latency
from rosearch.models.device import machine

Table = dict[str, tuple[Latency, ...]]

DRIFT = 1.25  # times slower or faster than in the table: the machine is in another state
GRAPHS_AT_ONCE = 4  # a graph takes some 15 s to make: what a stop loses. A process takes three to start

_TABLE: TypeAdapter[Table] = TypeAdapter(Table)


def fingerprint() -> str:
    """12 hex digits that stand for `machine`."""
    return hashlib.blake2b(machine().encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class LatencyTable:
    """The table of this machine below a cache folder. Several processes may use it; one measures at a time."""

    cache: Path

    @property
    def path(self) -> Path:
        """The table's file."""
        return self.cache / "latency" / f"{fingerprint()}.json"

    def latencies(
        self, subjects: Sequence[Subject], config: EfficiencyConfig, threads: int
    ) -> list[tuple[Latency, ...]]:
        """Latencies of each subject at each batch size. Those missing in the table are measured now and kept.

        Raises `RosearchError` as measuring does.
        """
        asked = {_key(subject, config, threads): subject for subject in subjects}
        with locked(self.path):  # two measurements at a time would disturb each other
            table = self._read()
            missing = [key for key in asked if key not in table]
            at_once = GRAPHS_AT_ONCE if config.runtime == "onnx" else max(1, len(missing))
            for start in range(0, len(missing), at_once):
                some = missing[start : start + at_once]
                table |= zip(some, measure_quietly([asked[key] for key in some], config, threads), strict=True)
                self._write(table)
        return [table[_key(subject, config, threads)] for subject in subjects]

    def yardstick(self, subject: Subject, config: EfficiencyConfig, threads: int) -> tuple[Latency, ...]:
        """The latencies of one subject, measured now. If they differ from the table by `DRIFT`, the rest is dropped.

        Raises `RosearchError` as measuring does; the table then stays as it was.
        """
        key = _key(subject, config, threads)
        with locked(self.path):
            (found,) = measure_quietly([subject], config, threads)
            table = self._read()
            changes = [now.median_ms / before.median_ms for now, before in zip(found, table.get(key, ()), strict=False)]
            if any(not 1 / DRIFT < change < DRIFT for change in changes):
                table.clear()
            table[key] = found
            self._write(table)
        return found

    def _write(self, table: Table) -> None:
        text = {"machine": machine(), "table": _TABLE.dump_python(table, mode="json")}
        write_whole(self.path, json.dumps(text, indent=1) + "\n", sealed=True)

    def _read(self) -> Table:
        """The table on disk; an empty one where the file is absent, or damaged, which the log says."""
        try:
            return _TABLE.validate_python(json.loads(content(self.path))["table"])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError):
            logging.getLogger(__name__).warning("%s: damaged; it is made again", self.path)
            return {}


def _key(subject: Subject, config: EfficiencyConfig, threads: int) -> str:
    """The subject and the way it is timed: in torch, or in a version of ONNX Runtime, which `machine` does not name.

    The size of a word table is left out: looking up a row takes the same time in any table. A saved model counts by its
    configuration, not by its weights.
    """
    if subject.genotype is not None:
        what = subject.genotype.architecture.id
    else:
        assert subject.folder is not None
        # Shorter than `files.file_hash`: the tables of earlier versions have this key.
        what = hashlib.blake2b((subject.folder / "config.json").read_bytes(), digest_size=8).hexdigest()
    sizes = ",".join(map(str, config.batch_sizes))
    runtime = "" if config.runtime == "eager" else f" onnxruntime {version('onnxruntime')}"
    return f"{what} {sizes}x{config.tokens} {threads} threads {config.warmup}+{config.repeats}{runtime}"
