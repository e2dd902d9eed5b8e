"""A search on a Ray cluster of two nodes on this machine: a node is killed, then the driver; then it is compared.

Usage: `python -m tests.two_nodes [EXPERIMENT] [-o key=value ...] [--to FOLDER] [--json]`, by default of the quickstart.
A search with processes of this machine goes first. Prints how many records there are, and how many of them are lost,
doubled or unequal in anything but times; exit code 1 where any is. Needs the extra `ray`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
sys.path.insert(0, str(HERE / "tests"))  # where tests find what they share

from run.backends.clusters import two_nodes  # noqa: E402
from small_run import finished_count, outcomes  # noqa: E402

from rosearch.run.results import open_results  # noqa: E402

NODE_DIES, DRIVER_DIES = 3, 7  # records that are over by then
_POLL_S = 0.2


def rosearch(*arguments: str | Path) -> subprocess.Popen[bytes]:
    """The program in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "rosearch.cli", *map(str, arguments)], stdout=subprocess.DEVNULL)


def until_over(runs: Path, records: int, driver: subprocess.Popen[bytes]) -> None:
    """Waits until so many records of the only run are over. Raises `RuntimeError` where the driver ends before."""
    while not any(finished_count(store) >= records for store in runs.glob("*/records.sqlite")):
        if driver.poll() is not None:
            raise RuntimeError(f"the search ended with {driver.returncode} before {records} records were over")
        time.sleep(_POLL_S)


def searched(experiment: str, overrides: Sequence[str], runs: Path, harm: Callable[..., None] | None = None) -> Path:
    """The folder of a finished search, to whose driver `harm` may do something; a killed one is resumed."""
    driver = rosearch("search", experiment, "--runs", runs, *(word for text in overrides for word in ("-o", text)))
    if harm is not None:
        harm(driver)
    code = driver.wait()
    (run,) = [folder for folder in runs.iterdir() if not folder.name.startswith(".")]
    if code == -signal.SIGKILL:
        code = rosearch("resume", run).wait()
    if code:
        raise RuntimeError(f"the search ended with {code}")
    return run


def compare(experiment: str, overrides: Sequence[str], folder: Path) -> dict[str, Any]:
    """The counts that the program prints."""
    local = searched(experiment, [*overrides, "execution.workers=2"], folder / "local")
    with two_nodes() as cluster:

        def harm(driver: subprocess.Popen[bytes]) -> None:
            until_over(folder / "ray", NODE_DIES, driver)
            (second,) = cluster.worker_nodes
            cluster.remove_node(second, allow_graceful=False)
            until_over(folder / "ray", DRIVER_DIES, driver)
            os.kill(driver.pid, signal.SIGKILL)

        on_ray = ["execution.workers=2", "execution.backend=ray", f"execution.address={cluster.address}"]
        clustered = searched(experiment, [*overrides, *on_ray], folder / "ray", harm)
    expected, found = (outcomes(open_results(run).records) for run in (local, clustered))
    numbers = [row[0] for row in found]
    return {
        "experiment": experiment,
        "records": len(expected),
        "lost": len({row[0] for row in expected} - {*numbers}),
        "doubled": len(numbers) - len({*numbers}),
        "unequal": sum(one != other for one, other in zip(expected, found, strict=False)),
        "killed": ["node", "driver"],
    }


def main() -> None:
    """Parse, search twice, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", nargs="?", default="quickstart")
    parser.add_argument("-o", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--to", type=Path, help="an empty folder for both runs; default: a temporary one")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = compare(given.experiment, given.overrides, given.to or Path(temporary))
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        told = "{records} records of {experiment}: {lost} lost, {doubled} doubled, {unequal} unequal"
        print(told.format(**found) + "; a node and the driver were killed")
    sys.exit(1 if found["lost"] or found["doubled"] or found["unequal"] else 0)


if __name__ == "__main__":
    main()
