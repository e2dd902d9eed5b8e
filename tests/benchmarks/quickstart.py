"""The quickstart as a user runs it, with several seeds: what it finds, and the processor seconds of all its processes.

Usage: `python -m tests.benchmarks.quickstart [--seeds 1,2,3] [--portable] [--keep FOLDER] [--json]`. `--portable` holds
it to AVX2 and float32, as older processors have them. Each run begins with nothing cached. A bar that is missed is
told, and then the exit code is 1. `--keep` leaves runs and what they printed in a folder, for `quickstart_pictures`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.without_bfloat16 import AVX2

ATTACK = "deepwordbug"
ROOT = Path(__file__).parents[2]
KEPT, BASELINE_KEEPS, CLEAN_LOST, SECONDS = 0.80, 0.15, 0.04, 240.0  # least, most, most, most


def measured(seed: int, folder: Path, *, portable: bool = False) -> dict[str, Any]:
    """One run in a new folder: figures of teacher, baseline and winner on the test rows, and what it took."""
    module = "tests.benchmarks.without_bfloat16" if portable else "rosearch.cli"
    wanted = ["search", "quickstart", "--runs", str(folder), "-o", f"seed={seed}", "--json"]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, **(AVX2 if portable else {}), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    before, begun = _spent(), time.perf_counter()
    done = subprocess.run([sys.executable, "-m", module, *wanted], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"seed {seed}: exit {done.returncode}\n{done.stderr}")
    (folder / "printed.txt").write_text(done.stderr, encoding="utf-8")
    took = {"processor_seconds": round(_spent() - before, 1), "seconds": round(time.perf_counter() - begun, 1)}
    return {"seed": seed, **figures(json.loads(done.stdout)), **took}


def figures(summary: dict[str, Any]) -> dict[str, Any]:
    """Clean accuracy, accuracy under attack, rows and parameters of each, from the JSON of `rosearch search`."""
    winner = next(student for student in summary["finalists"] if not student["name"])
    baseline = next(student for student in summary["finalists"] if student["name"])
    teacher = summary["teacher_on_test"]
    return {
        "counts": summary["counts"],
        "teacher": _row(teacher["quality"]["value"], teacher["attacks"], teacher["cost"]["parameters"]),
        "baseline": {"name": baseline["name"], **_of(baseline)},
        "winner": {"architecture": winner["architecture"], **_of(winner)},
    }


def missed(row: dict[str, Any]) -> list[str]:
    """The bars that a run misses, in words; its seconds are no part of it."""
    teacher, baseline, winner = row["teacher"], row["baseline"], row["winner"]
    bars = {
        f"the winner keeps {winner['under_attack']:.3f}, less than {KEPT}": winner["under_attack"] < KEPT,
        f"the baseline keeps {baseline['under_attack']:.3f}, more than {BASELINE_KEEPS}": baseline["under_attack"]
        > BASELINE_KEEPS,
        f"the winner has {winner['clean']:.3f} clean, the teacher {teacher['clean']:.3f}": teacher["clean"]
        - winner["clean"]
        > CLEAN_LOST + 1e-9,
    }
    return [f"seed {row['seed']}: {bar}" for bar, broken in bars.items() if broken]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table in Markdown."""
    lines = ["| seed | | parameters | clean | under DeepWordBug | processor seconds |", "|---|---|---|---|---|---|"]
    for row in rows:
        for place, who in enumerate(("teacher", "baseline", "winner")):
            found = row[who]
            name = f"{who}, {found['name']}" if "name" in found else who
            seed, seconds = ("", "") if place else (row["seed"], f"{row['processor_seconds']:.0f}")
            share = f"{found['clean']:.1%} | {found['under_attack']:.1%}".replace("%", " %")
            lines.append(f"| {seed} | {name} | {found['parameters'] / 1e6:.2f} M | {share} | {seconds} |")
    return "\n".join(lines)


def _of(student: dict[str, Any]) -> dict[str, Any]:
    return _row(student["quality"], student["attacks"], student["parameters"])


def _row(clean: float, attacks: Sequence[dict[str, Any]], parameters: int) -> dict[str, Any]:
    under = next(attack["under_attack"] for attack in attacks if attack["attack"] == ATTACK)
    return {"clean": clean, "under_attack": under["value"], "rows": under["n"], "parameters": parameters}


def _spent() -> float:
    """User and system seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run, print, and end with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--portable", action="store_true", help="AVX2 and float32")
    parser.add_argument("--keep", type=Path, help="a folder for runs and what they printed")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = []
        for seed in map(int, given.seeds.split(",")):
            folder = (given.keep or Path(scratch)) / str(seed)
            folder.mkdir(parents=True)
            rows.append(measured(seed, folder, portable=given.portable))
            print(json.dumps(rows[-1]) if given.json else table(rows[-1:]), flush=True)
    slow = [row for row in rows if row["processor_seconds"] > SECONDS]
    told = [bar for row in rows for bar in missed(row)]
    told += [f"seed {row['seed']}: {row['processor_seconds']:.0f} processor seconds" for row in slow]
    sys.exit("\n".join(told) if told else 0)


if __name__ == "__main__":
    main()
