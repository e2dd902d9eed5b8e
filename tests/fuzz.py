"""Mutated inputs, and the commands that read them: no traceback, no hang, no endless message, no flood of memory.

Usage: `python -m tests.fuzz [--json] [--short] [--seed N] [--again KIND:NUMBER]`, with `--experiments N` and its like
for other counts. Commands are called in this process. What fails is named by kind and number, and `--again` makes it
again and prints its traceback. Exit code 1 where a figure misses its bar.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent))  # the helpers of the tests, where this is run as a module

from mutations import damaged, mutated
from small_run import SPACE, write_encoder_experiment, write_experiment

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "tests/compatibility/recorded/small-0001"
FULL = {"experiments": 3000, "spaces": 1000, "genotypes": 1000, "data": 1000, "runs": 300}
_KEEP = ("-o", "task.on_shared_rows=keep")  # the same file is train and test
SHORT = {"experiments": 60, "spaces": 25, "genotypes": 30, "data": 25, "runs": 12}
SECONDS, WAITED = 15, 300  # of processor time for one command, and of waiting on a crowded machine
LONGEST, MOST_MIB = 2000, 300
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

Command = list[str | Path]


class Hang(BaseException):
    """A command took longer than `SECONDS` or `WAITED`."""


@dataclass
class Figures:
    """What a fuzz found. A message is a line on standard error."""

    inputs: dict[str, int] = field(default_factory=dict)
    exits: dict[str, int] = field(default_factory=dict)
    tracebacks: int = 0
    hangs: int = 0
    raw: int = 0  # outputs with a control character
    longest_message: int = 0
    peak_mib: float = 0.0  # beyond the imports and one undamaged input of each kind
    failing: list[dict[str, str]] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """True where every bar is held."""
        bars = self.tracebacks == self.hangs == self.raw == 0
        return bars and self.longest_message < LONGEST and self.peak_mib < MOST_MIB


class Fuzz:
    """A folder with undamaged inputs, from which any mutated one is made again by its kind, number and the seed."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.folder, self.seed, self.figures = folder, seed, Figures()
        task, encoder = folder / "task", folder / "encoder"
        task.mkdir(parents=True)
        self.experiments = [write_experiment(task, "classification"), write_encoder_experiment(encoder)]
        self.full = [self._all_keys(path) for path in self.experiments]
        self.spaces = [SPACE, *(_yaml(path) for path in sorted((ROOT / "search_spaces").glob("*.yaml")))]
        self.table = (task / "data/train.tsv").read_text()
        self.place = folder / "mutated"

    def run(self, counts: dict[str, int]) -> Figures:
        """Every kind as often as `counts` says, after one undamaged input of each, from which memory is counted."""
        for kind in counts:
            self.one(kind, -1)
        before = _peak_mib()
        self.figures = Figures(inputs=counts)
        for kind, count in counts.items():
            for number in range(count):
                self.one(kind, number)
                if number % 20 == 0:  # a command freezes what it leaves, as if its process ended with it
                    gc.unfreeze()
                    gc.collect()
        self.figures.peak_mib = round(_peak_mib() - before, 1)
        return self.figures

    def one(self, kind: str, number: int) -> str:
        """Makes an input and runs the commands that read it; the traceback, if there was one. -1 is undamaged."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        rng = random.Random(f"{self.seed}:{kind}:{number}")
        for command in _KINDS[kind](self, rng, number >= 0):
            if found := self._call(command):
                frames = re.findall(r'rosearch/([\w/]+\.py)", line (\d+)', found)
                where = ":".join(frames[-1]) if frames else ""
                error = found.strip().splitlines()[-1][:300]
                self.figures.failing.append({"input": f"{kind}:{number}", "where": where, "error": error})
                return found
        return ""

    def _call(self, command: Command) -> str:
        out, err = io.StringIO(), io.StringIO()
        code, told = 0, ""
        try:
            with _alarm(), redirect_stdout(out), redirect_stderr(err):
                code = _call_program([str(part) for part in command])
        except Hang:
            self.figures.hangs += 1
            told = traceback.format_exc()
        except Exception:
            self.figures.tracebacks += 1
            told = traceback.format_exc()
        self.figures.exits[str(code)] = self.figures.exits.get(str(code), 0) + 1
        longest = max(map(len, err.getvalue().splitlines()), default=0)
        self.figures.longest_message = max(self.figures.longest_message, longest)
        if raw := _RAW.search(out.getvalue() + err.getvalue()):
            self.figures.raw += 1
            told = told or f"a raw {raw[0]!r} was printed"
        if longest >= LONGEST:
            told = told or f"a message of {longest:,} letters"
        return told

    def _all_keys(self, path: Path) -> dict[str, Any]:
        """The experiment with every key written out, so that each may be mutated."""
        from rosearch.config.file import load_experiment

        return load_experiment(path).model_dump(mode="json", exclude_none=True)

    def _experiment(self, rng: random.Random, damage: bool) -> Iterator[Command]:
        data = rng.choice(self.full)
        path = _write(self.place / "experiment.yaml", data, rng, damage)
        extra: Command = []
        if damage and rng.random() < 0.2:
            extra = ["-o", f"{rng.choice(['name', 'seed', 'task', 'task.path', 'evolution'])}={_value(rng)}"]
        yield ["check", path, *extra]

    def _space(self, rng: random.Random, damage: bool) -> Iterator[Command]:
        path = _write(self.place / "space.yaml", rng.choice(self.spaces) if damage else SPACE, rng, damage)
        yield ["check", self.experiments[0], "-o", f"search_space={path}"]

    def _genotype(self, rng: random.Random, damage: bool) -> Iterator[Command]:
        from rosearch.space.known import KNOWN

        known = rng.choice(list(KNOWN.values())).genotype.to_dict()
        if damage and rng.random() < 0.1:
            known["nodes"] = known["nodes"] * rng.choice([1, 2, 20, 2000])
        path = _write(self.place / f"genotype.{rng.choice(['json', 'yaml'])}", known, rng, damage)
        yield ["distil", "--student", path, "--task", self.place / "nothing.yaml", "--to", self.place / "out"]
        yield ["id of", path]

    def _data(self, rng: random.Random, damage: bool) -> Iterator[Command]:
        name, content = rng.choice(_tables(self.table)) if damage else ("train.tsv", self.table.encode())
        if damage:
            content = damaged(content, rng)
            if rng.random() < 0.2:
                content, name = damaged(gzip.compress(content, mtime=0), rng), f"{name}.gz"
        path = self.place / name
        path.write_bytes(content)
        text = ["-o", "task.text=[text]", "-o", f"task.path={self.place}"]
        if not name.startswith("dev.json"):
            yield ["check", self.experiments[0], *text, "-o", f"task.local={{train: {name}, test: {name}}}", *_KEEP]
        yield ["attack", self.folder / "task/teacher", "--suite", path, "--cache", self.folder / "cache"]

    def _run(self, rng: random.Random, damage: bool) -> Iterator[Command]:
        run = self.place / "small-0001"
        shutil.copytree(RECORDED, run)
        names = rng.choice(
            [("experiment.yaml",), ("search_space.yaml",), ("records.sqlite",), ("records.sqlite", "experiment.yaml")]
        )
        for name in names if damage else ():
            if name.endswith(".yaml"):
                _write(run / name, _yaml(run / name), rng, damage)
            elif rng.random() < 0.7:
                _change_cells(run / name, rng)
            else:
                (run / name).write_bytes(damaged((run / name).read_bytes(), rng))
        yield ["status", run, *(["--json"] if rng.random() < 0.3 else [])]
        yield ["show", run, rng.choice(["6dbbdd", "b69ce9", "1", "0"])]
        if not damage or rng.random() < 0.25:
            yield ["stats", run]


_KINDS: dict[str, Callable[[Fuzz, random.Random, bool], Iterator[Command]]] = {
    "experiments": Fuzz._experiment,
    "spaces": Fuzz._space,
    "genotypes": Fuzz._genotype,
    "data": Fuzz._data,
    "runs": Fuzz._run,
}


def _call_program(command: list[str]) -> int:
    from rosearch.cli import main

    if command[0] == "id of":
        return _identify(command[1])
    before, sys.argv = sys.argv, ["rosearch", *command]
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    finally:
        sys.argv = before
    return 0


def _identify(path: str) -> int:
    """The id and the cost of a genotype that is accepted, which every command computes."""
    from rosearch.distil.inputs import find_student
    from rosearch.errors import RosearchError
    from rosearch.space.cost import count_parameters

    try:
        genotype = find_student(path).genotype
    except RosearchError as error:
        return error.exit_code
    assert genotype is not None
    return 0 if genotype.canonical().id and count_parameters(genotype) else 1


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _value(rng: random.Random) -> str:
    from mutations import SNIPPETS, VALUES

    return str(rng.choice([*VALUES, *SNIPPETS])).replace("\0", "")[:100_000]  # no argument holds a NUL


def _write(path: Path, data: Any, rng: random.Random, damage: bool) -> Path:
    """Writes plain data; most of the mutated ones are mutated as data, the others as text."""
    as_data = rng.random() < 0.6
    if damage and as_data:
        data = mutated(data, rng)
    if path.suffix == ".json":
        text = json.dumps(data, indent=1, default=str, skipkeys=True)
    else:
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=rng.random() < 0.5)
    content = text.encode("utf-8", "surrogatepass")
    path.write_bytes(damaged(content, rng) if damage and not as_data else content)
    return path


def _tables(tsv: str) -> list[tuple[str, bytes]]:
    """The same rows as TSV, CSV, JSON lines, and as a set in AdvGLUE's form."""
    head, *rows = [line.split("\t") for line in tsv.splitlines()[:40]]
    records = [dict(zip(head, row, strict=True)) for row in rows]
    lines = "\n".join(json.dumps(record) for record in records)
    advglue = {"sst2": [{"sentence": one["text"], "label": 1, "idx": n} for n, one in enumerate(records)]}
    csv = "\n".join(",".join(row) for row in (head, *rows))
    return [
        ("train.tsv", tsv.encode()),
        ("train.csv", csv.encode()),
        ("train.jsonl", lines.encode()),
        ("dev.json", json.dumps(advglue).encode()),
    ]


def _change_cells(store: Path, rng: random.Random) -> None:
    """Mutates cells of records and facts; those of JSON as data or as text."""
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        for _ in range(rng.randint(1, 3)):
            table = rng.choice(["records", "records", "meta"])
            column = rng.choice([row[1] for row in connection.execute(f"PRAGMA table_info({table})")])
            cells = list(connection.execute(f"SELECT rowid, {column} FROM {table}"))
            row, cell = rng.choice(cells)
            try:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (_cell(cell, rng), row))
            except (sqlite3.Error, OverflowError, UnicodeEncodeError):
                continue  # the database takes no such value
    connection.close()


def _cell(cell: Any, rng: random.Random) -> Any:
    from mutations import VALUES

    if isinstance(cell, str) and cell[:1] in "[{" and cell:
        data: Any = None
        with suppress(ValueError):  # an earlier change may have left no JSON
            data = json.loads(cell)
        if data and rng.random() < 0.7:
            return json.dumps(mutated(data, rng), default=str, skipkeys=True)
        return damaged(cell.encode(), rng).decode("utf-8", "replace")
    value = rng.choice(VALUES)
    return value if isinstance(value, str | int | float | None) else json.dumps(value)


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hang(f"more than {SECONDS} s of processor time, or {WAITED} s of waiting")

    timers = {signal.ITIMER_PROF: (signal.SIGPROF, SECONDS), signal.ITIMER_REAL: (signal.SIGALRM, WAITED)}
    before = {kind: signal.signal(kind, ring) for kind, _ in timers.values()}
    left = {timer: signal.setitimer(timer, seconds) for timer, (_, seconds) in timers.items()}
    try:
        yield
    finally:
        for timer in timers:
            signal.setitimer(timer, 0)
        for kind, handler in before.items():
            signal.signal(kind, handler)
        for timer, times in left.items():
            signal.setitimer(timer, *times)  # pytest-timeout's, where a test runs this


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; see the usage above."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", metavar="KIND:NUMBER")
    for kind in FULL:
        parser.add_argument(f"--{kind}", type=int)
    asked = parser.parse_args(arguments)
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(Path(folder), asked.seed)
        if asked.again:
            kind, _, number = asked.again.partition(":")
            print(fuzz.one(kind, int(number)) or "nothing failed", *fuzz.place.rglob("*"), sep="\n")
            return 0
        counts = SHORT if asked.short else FULL
        figures = fuzz.run(
            {kind: count if (told := getattr(asked, kind)) is None else told for kind, count in counts.items()}
        )
    told = asdict(figures)
    print(json.dumps(told, indent=2) if asked.json else "\n".join(f"{key}: {value}" for key, value in told.items()))
    return 0 if figures.well else 1


if __name__ == "__main__":
    sys.exit(main())
