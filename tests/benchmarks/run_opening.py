"""Time to open a run of many records, as `status` and `open_run` do, beside an older checkout.

Usage: `python -m tests.benchmarks.run_opening [OLD_CHECKOUT] [--records 1000] [--repeats 9] [--json]`. Each checkout
makes the run with its own code, so each reads its own format. They take turns in processes of their own; printed are
the median processor milliseconds of each side, and the median of the ratios, new over old.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.equal_records import HERE, environment

ROWS = 200  # attacked rows of each record
OPENINGS = 5  # in one process; the first pays for imports and is left out


def make(folder: Path, records: int) -> None:
    """A run below `folder`, its records measured under two attacks."""
    from records import sample_records as samples

    from rosearch.config.experiment import Experiment
    from rosearch.measurements import Estimate, Measurements, Robustness
    from rosearch.records.record import Outcome
    from rosearch.records.run_directory import RunDirectory
    from rosearch.records.store import Store

    space = folder / "space.yaml"
    space.write_text("name: tiny\n")
    task = {"name": "grammar", "text": ["sentence"], "labels": ["neg", "pos"], "generated": {}}
    experiment = Experiment(name="many", search_space=space, task=task, teacher={"model": "somewhere"})  # type: ignore
    run = RunDirectory.create(folder, experiment)
    share = Estimate(0.5, 0.4, 0.6, ROWS)
    robust = Robustness(
        "deepwordbug", 1, ROWS, share, share, share, share, share, share, 0, 1.0,
        outcomes="sb" * (ROWS // 2), shares=tuple(row / ROWS for row in range(ROWS)),
    )  # fmt: skip
    with Store.open(run.store) as store:
        store.propose([samples.pending(number) for number in range(1, records + 1)])
        for number in range(1, records + 1):
            found = samples.measured(number / records).measurements
            assert found is not None
            measured = Measurements(found.quality, found.efficiency, found.training, robust, (robust, robust))
            store.finish(number, Outcome(measured, None, {"build": 0.25, "distil": 1.5}))


def opened(folder: Path) -> float:
    """Median processor milliseconds to open the run in `folder`."""
    from rosearch.records.run_directory import RunDirectory
    from rosearch.run.results import load_results

    (run,) = folder.glob("many-*")
    taken = []
    for _ in range(OPENINGS + 1):
        start = time.process_time()
        load_results(RunDirectory.open(run))
        taken.append(1000 * (time.process_time() - start))
    return median(taken[1:])


def _child(checkout: Path, *arguments: str) -> str:
    fixed = environment(checkout)
    fixed["PYTHONPATH"] = f"{checkout}:{HERE}:{HERE / 'tests'}"
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, env=fixed, check=True, stdout=subprocess.PIPE, text=True).stdout


def compare(checkouts: dict[str, Path], records: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Milliseconds of each checkout by its name, and the ratio of the last two where there are two."""
    taken: dict[str, list[float]] = {name: [] for name in checkouts}
    for name, checkout in checkouts.items():
        (folder / name).mkdir()
        _child(checkout, "--make", str(folder / name), "--records", str(records))
    for repeat in range(repeats):
        for name in list(checkouts)[:: 1 if repeat % 2 else -1]:  # neither always comes first
            taken[name].append(float(_child(checkouts[name], "--open", str(folder / name))))
            print(f"repeat {repeat}: {name} {taken[name][-1]:.1f} ms", file=sys.stderr, flush=True)
    found: dict[str, Any] = {"records": records, "milliseconds": {name: median(taken[name]) for name in taken}}
    if "old" in taken:
        found["ratio"] = median(new / old for new, old in zip(taken["new"], taken["old"], strict=True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, nargs="?", metavar="OLD_CHECKOUT")
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make is not None:
        make(given.make, given.records)
    elif given.open is not None:
        print(opened(given.open))
    else:
        sides = {"old": given.old.resolve(), "new": HERE} if given.old else {"new": HERE}
        with tempfile.TemporaryDirectory() as folder:
            found = compare(sides, given.records, given.repeats, Path(folder))
        print(json.dumps(found, indent=2) if given.json else found)


if __name__ == "__main__":
    main()
