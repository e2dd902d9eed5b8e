"""Does rosearch work on this GPU? bfloat16, attacks, several workers, latency and one short search, as a table.

Usage: `python -m tests.gpu_acceptance [--device cuda] [--workers 4] [--to FOLDER] [--json]`, with the extra `offline`.
It takes minutes. Exit codes: 0 all is accepted, 1 something is not, 4 there is no such GPU. See docs/how-to/gpu.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rosearch import distil_student, load_experiment, open_run, run_search
from rosearch.attack import attack
from rosearch.config.experiment import Experiment
from rosearch.data.loading import load_task
from rosearch.distil import Options
from rosearch.errors import RosearchError
from rosearch.models.device import resolve_device

POINTS = 0.05  # accuracies of one architecture that lie no further apart are alike
ALIKE_ROWS = 0.95  # of attacked rows end alike on GPU and CPU
SPREAD = 0.25  # of the median, between the quartiles of a latency
RANDOM = ("evolution.strategy=random", "baselines=[]", "finalists.count=0")
STUDENT = "bert_mini"


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    check: str
    expected: str
    found: str
    accepted: bool | None  # None: it was not tried, as `found` says


@dataclass(frozen=True)
class Trial:
    """What every check needs: a device, a number of workers, an experiment, a folder for what is made."""

    device: str
    workers: int
    folder: Path
    experiment: str = "quickstart"
    overrides: tuple[str, ...] = ()
    rows: int = 100  # attacked by both devices

    def settings(self, *more: str) -> Experiment:
        device = (f"execution.device={self.device}", f"execution.workers={self.workers}")
        return load_experiment(self.experiment, [*device, *self.overrides, *more])

    @property
    def cache(self) -> Path:
        """That of searches and of single students."""
        return self.folder / "runs/.cache"


def check_precision(trial: Trial) -> Line:
    """One student in bfloat16 and one in float32, the same otherwise."""
    found = {}
    for precision in ("bfloat16", "float32"):
        settings = trial.settings(f"distillation.precision={precision}")
        made = distil_student(settings, STUDENT, trial.folder / precision, Options(cache=trial.cache))
        found[precision] = made.record["quality"]["validation"]["student"]["value"], made.record["seconds"]["distil"]
    (low, low_seconds), (full, full_seconds) = found["bfloat16"], found["float32"]
    said = f"{low:.1%} in {low_seconds:.1f} s; float32 {full:.1%} in {full_seconds:.1f} s"
    return Line("bfloat16", f"within {POINTS:.0%} of float32", said, abs(low - full) <= POINTS)


def check_attack(trial: Trial) -> Line:
    """The float32 student of the check above under DeepWordBug, on the device and on the CPU."""
    split = load_task(trial.settings().task, 1).validation  # type: ignore[arg-type]
    rows = [(texts[0], label) for texts, label in zip(split.texts, split.labels)][: trial.rows]
    model = AutoModelForSequenceClassification.from_pretrained(trial.folder / "float32", trust_remote_code=True)
    tokenizer = AutoTokenizer.from_pretrained(trial.folder / "float32", trust_remote_code=True)
    ends, seconds = [], []
    for device in (trial.device, "cpu"):
        start = time.perf_counter()
        found = attack(model, tokenizer, rows, ["deepwordbug"], device=device, cache=trial.cache)
        seconds.append(time.perf_counter() - start)
        ends.append(found.worst.outcomes)
    alike = sum(one == other for one, other in zip(*ends)) / len(rows)
    said = f"{alike:.0%} of {len(rows)} rows; {seconds[0]:.1f} s, on the CPU {seconds[1]:.1f} s"
    return Line("attack", f"{ALIKE_ROWS:.0%} of rows end as on the CPU", said, alike >= ALIKE_ROWS)


def check_workers(trial: Trial) -> Line:
    """The same random candidates by one worker and by several."""
    tables, seconds = [], []
    for workers in (1, trial.workers):
        start = time.perf_counter()
        results = run_search(trial.settings(*RANDOM, f"execution.workers={workers}"), runs=trial.folder / "runs")
        seconds.append(time.perf_counter() - start)
        tables.append(open_run(results.run.path).candidates.set_index("number"))
    one, several = tables
    same = list(one.id) == list(several.id) and set(one.status) | set(several.status) == {"done"}
    apart = (one.accuracy - several.accuracy).abs().max() if same else 1.0
    said = f"{seconds[0]:.0f} s by one, {seconds[1]:.0f} s by {trial.workers}; accuracies at most {apart:.1%} apart"
    return Line("workers", f"the same students, within {POINTS:.0%}", said, bool(apart <= POINTS))


def check_devices(trial: Trial) -> Line:
    """The students of the check above, by two GPUs of which each worker sees one."""
    expected = f"the same students by two GPUs, within {POINTS:.0%}"
    seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if seen < 2:
        return Line("devices", expected, f"not tried: torch sees {seen} GPU{'s' if seen != 1 else ''}, not two", None)
    said, apart = by_several(trial, "execution.devices=[cuda:0, cuda:1]")
    return Line("devices", expected, said, apart <= POINTS)


def check_room(trial: Trial) -> Line:
    """The same students by as many workers as the GPU has room for."""
    expected = f"the same students by as many as have room, within {POINTS:.0%}"
    if torch.device(trial.device).type != "cuda":
        return Line("room", expected, "not tried: no GPU", None)
    said, apart = by_several(trial, "execution.devices=[cuda:0]", "execution.workers_per_device=auto")
    return Line("room", expected, said, apart <= POINTS)


def by_several(trial: Trial, *settings: str) -> tuple[str, float]:
    """The students of the first run again: seconds in words, and how far accuracies are apart; 1 where any failed."""
    start = time.perf_counter()
    results = run_search(trial.settings(*RANDOM, "execution.device=auto", *settings), runs=trial.folder / "runs")
    seconds = time.perf_counter() - start
    paths = next((trial.folder / "runs").glob("*-0001")), results.run.path
    one, two = (open_run(path).candidates.set_index("number") for path in paths)
    same = list(one.id) == list(two.id) and set(two.status) == {"done"}
    apart = float((one.accuracy - two.accuracy).abs().max()) if same else 1.0
    return f"{seconds:.0f} s; accuracies at most {apart:.1%} apart", apart


def check_latency(trial: Trial) -> Line:
    """The students of the check above, timed by their workers; the first run had one, and nothing beside it."""
    results = open_run(next((trial.folder / "runs").glob("*-0001"))).results
    timed = [r.measurements.efficiency for r in results.measured("candidate") if r.measurements is not None]
    firsts = [efficiency.latency[0] for efficiency in timed if efficiency.latency]
    teacher = results.teacher.latency_ms if results.teacher else None
    name = str(machine(trial.device)["device"])
    if not firsts or teacher is None or any(one.device != name for one in timed):
        return Line("latency", f"measured on {name}", "nothing was timed there", False)
    best = min(firsts, key=lambda latency: latency.median_ms)
    spread = (best.high_ms - best.low_ms) / best.median_ms
    quartiles = f"[{best.low_ms:.2f}, {best.high_ms:.2f}]"
    said = f"{best.median_ms:.2f} ms {quartiles}, teacher {teacher:.2f} ms, batch {best.batch_size}"
    return Line("latency", f"quartiles within {SPREAD:.0%} of the median", said, spread <= SPREAD)


def check_search(trial: Trial) -> Line:
    """A whole search, with its finalists on test rows."""
    start = time.perf_counter()
    run = open_run(run_search(trial.settings("seed=2"), runs=trial.folder / "runs").run.path)
    seconds = time.perf_counter() - start
    failed = int((run.candidates.status == "failed").sum())
    if run.finalists.empty or run.front.empty:
        return Line("search", "finalists on test rows, nobody failed", f"no finalist; {failed} failed", False)
    best = run.finalists.iloc[0]
    robust = f"{best.accuracy:.1%} clean, {best.under_attack:.1%} under attack"
    said = f"{robust}, {best.parameters / 1e6:.1f} M parameters, {len(run.candidates)} students, {seconds:.0f} s"
    return Line("search", "finalists on test rows, nobody failed", said, failed == 0 and best.status == "done")


CHECKS: tuple[Callable[[Trial], Line], ...] = (
    check_precision,
    check_attack,
    check_workers,
    check_devices,
    check_room,
    check_latency,
    check_search,
)


def tried(check: Callable[[Trial], Line], trial: Trial) -> Line:
    """A check that raises is a line that is not accepted."""
    try:
        return check(trial)
    except (RosearchError, RuntimeError) as error:
        name = check.__name__.removeprefix("check_")
        return Line(name, "no error", f"{type(error).__name__}: {error}".splitlines()[0], False)


def machine(device: str) -> dict[str, str | None]:
    """The device and the versions behind the figures."""
    on_gpu = torch.device(device).type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else "cpu"
    return {"device": name, "torch": torch.__version__, "cuda": torch.version.cuda if on_gpu else None}


def as_table(facts: dict[str, str | None], lines: Sequence[Line]) -> str:
    """Markdown, to be kept."""
    about = ", ".join(f"{key} {value}" for key, value in facts.items() if value)
    words = {True: "yes", False: "**no**", None: "not tried"}
    rows = [f"| {one.check} | {one.expected} | {one.found} | {words[one.accepted]} |" for one in lines]
    return "\n".join([f"{about}:", "", "| check | expected | found | accepted |", "|---|---|---|---|", *rows])


def as_data(facts: dict[str, str | None], lines: Sequence[Line]) -> dict[str, object]:
    """The same as JSON data."""
    return {**facts, "checks": [asdict(line) for line in lines], "accepted": is_accepted(lines)}


def is_accepted(lines: Sequence[Line]) -> bool:
    """True if no check failed; one that was not tried says so itself."""
    return all(line.accepted is not False for line in lines)


def refusal(device: str) -> str:
    """Why nothing is tried on a device, in a line; empty: it is a GPU that is there."""
    if torch.device(device).type != "cuda":
        return f"{device} is no GPU: name cuda, or cuda:N"
    try:
        resolve_device(device)
    except RosearchError as error:
        return " ".join(str(error).split())
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all checks, and print the table; a line a check goes to standard error as it ends."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu_acceptance", description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--to", type=Path, help="keep what is made in this folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if why := refusal(options.device):
        print(f"error no GPU to accept: {why}", file=sys.stderr)
        return 4
    with tempfile.TemporaryDirectory() as scratch:
        trial = Trial(options.device, options.workers, options.to or Path(scratch))
        lines = []
        for check in CHECKS:
            lines.append(tried(check, trial))
            print(f"{lines[-1].check}: {lines[-1].found}", file=sys.stderr, flush=True)
    facts = machine(options.device)
    print(json.dumps(as_data(facts, lines), indent=2) if options.json else as_table(facts, lines))
    return 0 if is_accepted(lines) else 1


if __name__ == "__main__":
    raise SystemExit(main())
