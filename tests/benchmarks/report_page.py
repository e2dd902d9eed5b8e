"""The page of a run of many candidates: its size, what it takes to write, and how soon a browser answers.

Usage: `python -m tests.benchmarks.report_page [--candidates 2000] [--json]`. Records are as large as those of an SST-2
run (two attacks on 200 rows), of architectures of `robust_dag` that were drawn at random, 20 a generation. The page is
written by a process of its own.

- `page_mb`: the file;
- `seconds`: processor seconds from the open run to the file, beyond imports; `imports_s`: those of the imports;
- `mib`: the largest memory of the process;
- `interactive_s`: from the address to a script that has run, in headless Chromium; null where there is none.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.equal_records import HERE, environment


def written(run: Path, page: Path) -> dict[str, float]:
    """Write the page of a run, in this process."""
    from rosearch.report.page import write_page
    from rosearch.run.results import open_results

    gc.freeze()  # as the command does
    imports = time.process_time()
    write_page(page, [open_results(run)])
    seconds = time.process_time() - imports
    return {"page_mb": page.stat().st_size / 1e6, "seconds": seconds, "imports_s": imports, "mib": _memory()}


def _memory() -> float:
    """The largest memory of this process; `getrusage` begins with that of the process that started it."""
    told = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert told is not None
    return int(told[1]) / 1024


def interactive(page: Path) -> float | None:
    """Seconds until the script of a page has run."""
    sys.path.insert(0, str(HERE / "tests"))
    from report.browser import chromium, lacking, opened

    if lacking():
        return None
    with chromium() as browser:
        browser.new_page().close()
        start = time.monotonic()
        opened(browser, page)
        return time.monotonic() - start


def measure(candidates: int, folder: Path) -> dict[str, float | None]:
    """All figures of a run of so many candidates."""
    from tests.benchmarks.records_growth import Run

    run = Run(folder, candidates)
    run.fill(candidates)
    page = folder / "report.html"
    command = [sys.executable, "-m", "tests.benchmarks.report_page", "--child", str(run.directory.path), str(page)]
    done = subprocess.run(command, env=environment(HERE), cwd=HERE, check=True, stdout=subprocess.PIPE, text=True)
    return {**json.loads(done.stdout.splitlines()[-1]), "interactive_s": interactive(page)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=2000)
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    if given.child:
        print(json.dumps(written(*given.child)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given.candidates, Path(folder))
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        print(f"{key}: {'-' if value is None else f'{value:.2f}'}")


if __name__ == "__main__":
    main()
