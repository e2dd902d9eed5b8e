"""Processor time of a search until its first training step, where everything is cached, beside another checkout.

Usage: `python -m tests.benchmarks.first_step OLD_CHECKOUT [--repeats 3] [-o KEY=VALUE ...] [--json]`. Each side runs
the old checkout's quickstart once in a short form, which fills its cache. Then both begin a second run in turns. It
ends at the first step of an optimiser, wherever that happens: the processor time of driver and worker up to then is
counted, imports and checks included. Printed are the medians, and the median ratio new / old with its 95 % interval.
Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks.against import ratio, spent
from tests.equal_records import HERE, QUICKSTART, changes, environment

FIRST = {"evolution.candidates": 2, "baselines": "[]", "finalists.count": 0, "execution.workers": 1}

# In every process: as soon as torch is there, a hook that ends the run at the first step and leaves the seconds.
HOOK = """
import os, signal, sys, threading, time
def end(*_):
    with open(f"/proc/{os.getppid()}/stat") as file:
        ticks = sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    with open(os.environ["FIRST_STEP"], "w") as file:
        file.write(str(time.process_time() + ticks / os.sysconf("SC_CLK_TCK")))
    os.kill(os.getppid(), signal.SIGKILL)
    os._exit(0)
def wait():
    while "torch.optim" not in sys.modules or not hasattr(sys.modules["torch.optim"], "AdamW"):
        time.sleep(0.02)
    from torch.optim.optimizer import register_optimizer_step_post_hook
    register_optimizer_step_post_hook(end)
if "FIRST_STEP" in os.environ:
    threading.Thread(target=wait, daemon=True).start()
"""


def prepare(old: Path, checkout: Path, folder: Path, settings: Sequence[str]) -> None:
    """One whole search, short, in a new folder."""
    folder.mkdir()
    for name in ("experiments", "search_spaces"):
        shutil.copytree(old / name, folder / name)
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(HOOK)
    spent(checkout, folder, search(settings))


def search(settings: Sequence[str]) -> list[str]:
    """The command, with the settings of both sides and the user's own."""
    own = [part for setting in settings for part in ("-o", setting)]
    return ["search", "experiments/quickstart.yaml", "--runs", "runs", *changes({**QUICKSTART, **FIRST}), *own]


def first_step(checkout: Path, folder: Path, settings: Sequence[str]) -> float:
    """Processor seconds of driver and worker until the first step of a second run."""
    found = folder / "first_step"
    found.unlink(missing_ok=True)
    variables = environment(checkout)
    variables["PYTHONPATH"] = os.pathsep.join((str(folder / "hook"), variables["PYTHONPATH"]))
    command = [sys.executable, "-m", "rosearch.cli", *search(settings)]
    done = subprocess.run(
        command, cwd=folder, env={**variables, "FIRST_STEP": str(found)}, capture_output=True, text=True
    )
    if not found.is_file():
        raise SystemExit(f"{checkout}: no step was made: exit {done.returncode}\n{done.stderr}")
    return float(found.read_text())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, metavar="OLD_CHECKOUT")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-o", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    sides = {"old": given.old.resolve(), "new": HERE}
    seconds: dict[str, list[float]] = {"old": [], "new": []}
    with tempfile.TemporaryDirectory() as temporary:
        for side, checkout in sides.items():
            prepare(sides["old"], checkout, Path(temporary) / side, given.settings)
        for _ in range(given.repeats):
            for side, checkout in sides.items():
                seconds[side].append(first_step(checkout, Path(temporary) / side, given.settings))
                print(f"{side}: {seconds[side][-1]:.2f} s", file=sys.stderr, flush=True)
    found = {"old_s": seconds["old"], "new_s": seconds["new"], "ratio": ratio(seconds["old"], seconds["new"])}
    told = "{median:.3f} [{low:.3f}, {high:.3f}]".format(**found["ratio"])  # type: ignore[arg-type]
    medians = " -> ".join(f"{float(np.median(seconds[side])):.1f} s" for side in sides)
    print(json.dumps(found, indent=2) if given.json else f"{medians}, ratio {told}")


if __name__ == "__main__":
    main()
