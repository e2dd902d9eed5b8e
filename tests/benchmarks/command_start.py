"""Processor time of `rosearch --help` and of wrong input, beside the libraries that any such program imports.

Usage: `python -m tests.benchmarks.command_start [--repeats 9] [--json]`. The yardstick is one process that imports
typer, pydantic, yaml and rich as a program of Typer's does that validates by pydantic: typer itself imports pydantic
once a command has a parameter. `bare` is the import statement alone, which leaves the work to later. Each round
starts every command once, in processes of their own; printed are median processor milliseconds, and the median, least
and largest of the ratios to the yardstick of the same round. Ours and theirs are compiled before, as pip compiles what
it installs: a shell with PYTHONDONTWRITEBYTECODE would have compiled a checkout anew at each start.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from tests.equal_records import HERE

LIBRARIES = (
    "import typer, typer.main, typer.core, typer.rich_utils, typer._adapters, yaml\n"
    "from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator\n"
    "from pydantic.json_schema import SkipJsonSchema\n"
    "from rich.console import Console\nfrom rich.table import Table\n"
)
COMMANDS = {
    "libraries": ("-c", LIBRARIES),
    "bare": ("-c", "import typer, pydantic, yaml, rich"),
    "help": ("-m", "rosearch.cli", "--help"),
    "wrong path": ("-m", "rosearch.cli", "check", "nothing.yaml"),
    "wrong key": ("-m", "rosearch.cli", "check", "quickstart", "-o", "evolution.populaton=3"),
    "wrong name": ("-m", "rosearch.cli", "check", "quickstart", "-o", "baselines=[adabrt]"),
}


def milliseconds(arguments: tuple[str, ...], folder: Path) -> float:
    """Processor time of Python with these arguments, started in a folder."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": str(HERE), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(repeats: int) -> dict[str, Any]:
    """For each command its median milliseconds, and its ratio to the libraries: median, least, largest."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats + 1):
            for name, arguments in COMMANDS.items():
                taken[name].append(milliseconds(arguments, Path(folder)))
    found: dict[str, Any] = {}
    for name, all_times in taken.items():
        times, yardstick = all_times[1:], taken["libraries"][1:]  # the first round compiles and fills caches
        ratios = [time / other for time, other in zip(times, yardstick, strict=True)]
        found[name] = {"milliseconds": median(times), "ratio": median(ratios), "range": [min(ratios), max(ratios)]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    found = measure(given.repeats)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for name, one in found.items():
        low, high = one["range"]
        print(f"{name:12} {one['milliseconds']:5.0f} ms, ratio {one['ratio']:.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
