"""The speed of the engine over that of TextAttack, on students, with the same results.

    python -m tests.benchmarks.attack_throughput --data-root DATA --resources FOLDER [--json]

SST-2's validation rows (DATA/glue/SST-2/dev.tsv), one thread, and in one process, turn by turn in each repeat:

- stock: TextAttack's `Attacker` around its `HuggingFaceModelWrapper`, on `--stock-rows` of the rows (it is slow),
  against the engine on those very rows;
- tuned: sequential TextAttack with padding to the longest row of a batch, inference mode and a memory for words, driven
  by the engine's plan, so that both ask the model for the same texts. Each row's result is compared with the engine's;
- a simulated device: recorded logits come back after `--wait-ms` a batch, 32 texts of TextAttack or 1024 of the engine;
- the engine without a model: recorded logits come back at once, which leaves Python and tokenisation.

The plan is compiled before (`compile_seconds`), and its words are tokenised: both once for all students of a
vocabulary. A key that ends in `_cold` is that of an engine with nothing tokenised, as for the first student.
`python_us_per_query` counts queries as TextAttack does; it is the largest over the attacks and over batches of 32 and
1024.

Ratios are of the clock's seconds within a repeat, medians over the repeats with quartiles. `stock_min`, `tuned_min` and
`device_2ms_min` are the smallest ratio over the attacks for the student `headline`; every student's stand under
`students`. `equal_rows` is the smallest number of equal rows over attacks and students, of `rows`. With
`--device cuda` stock, tuned and engine run on the GPU; the other two never do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rosearch.data.tasks import Split
from rosearch.errors import RosearchError
from rosearch.evaluation.attacks.prepared import PreparedAttack, prepare_attack
from rosearch.evaluation.attacks.recipes import resolve
from rosearch.evaluation.attacks.result import AttackedRow
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.quality import inference
from rosearch.evaluation.robustness import sample_rows
from rosearch.models.device import resolve_device
from rosearch.resources.resources import Resources
from tests.benchmarks.attack_rivals import (
    BatchVictim,
    Engine,
    Recorder,
    SimulatedDevice,
    Stock,
    Timing,
    Tuned,
    equal_rows,
    forget_tokens,
    little_garbage,
    timed,
)
from tests.benchmarks.benchmark_students import (
    MAX_LENGTH,
    BenchmarkStudent,
    open_tokenizer,
    read_sst2,
    saved_student,
    trained_student,
)
from tests.benchmarks.throughput_report import line, of_results, of_timings, show, summary

ATTACKS = ("deepwordbug", "synonym-swap", "pwws")
STUDENTS = ("bert_mini", "nas_bert_10m", "tinybert4")  # 5 to 15 million parameters with BERT's vocabulary
CPU = torch.device("cpu")
CPU_ROWS, DEVICE_ROWS = 32, 1024  # texts a batch; TextAttack's are 32 everywhere

Logits = list[torch.Tensor]  # of each batch, in the order of the calls
# Functions that prepare a run and return it; only the run itself is timed.
Runs = dict[str, Callable[[], Callable[[], Any]]]


@dataclass(frozen=True)
class Setting:
    """The settings of a run of the benchmark."""

    rows: int
    stock_rows: int  # 0: without stock TextAttack
    repeats: int
    wait_ms: float
    seed: int
    device: torch.device
    max_length: int = MAX_LENGTH


def measure(
    students: Sequence[BenchmarkStudent],
    attacks: Sequence[str],
    validation: Split,
    setting: Setting,
    resources: Resources,
    note: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """The benchmark's object; the first student is the headline."""
    for name in attacks:
        resolve(name, resources)
    chosen = sample_rows(len(validation), setting.rows, setting.seed)
    texts, labels = [validation.texts[row] for row in chosen], [int(validation.labels[row]) for row in chosen]
    details = []
    with tempfile.TemporaryDirectory() as cache:
        for student in students:
            model = student.model.to(setting.device).eval()
            victim = Victim(model, student.tokenizer, setting.max_length, setting.device)
            for name in attacks:
                prepare = partial(prepare_attack, name, texts, setting.seed, victim, resources, Path(cache))
                compiled, attack = timed(prepare, CPU)
                detail = {
                    "student": student.name,
                    "parameters": student.parameters,
                    **_compare(attack, labels, victim, setting),
                }
                if student is students[0]:
                    detail["compile_seconds"] = compiled.wall
                details.append(detail)
                note(line(detail))
            model.to("cpu")
    cuda = setting.device.type == "cuda"
    return {
        **summary(details),
        "stock_rows": setting.stock_rows,
        "repeats": setting.repeats,
        "wait_ms": setting.wait_ms,
        "seed": setting.seed,
        "device": torch.cuda.get_device_name(setting.device) if cuda else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "transformers", "textattack")},
        "attacks": details,
    }


def _compare(attack: PreparedAttack, labels: Sequence[int], victim: Victim, setting: Setting) -> dict[str, Any]:
    """All rivals on one student and attack."""
    assert attack.plan is not None
    # TextAttack itself attacks the rows that the engine cannot follow: there is nothing to compare.
    walked = [place for place, row in enumerate(attack.plan.rows) if not row.odd]
    engine = Engine(attack, walked, labels)
    with inference(victim.model, victim.device):
        mine, small = _recorded(victim, CPU_ROWS, engine.run)
        _, large = _recorded(victim, DEVICE_ROWS, engine.run)
        theirs, sequential = _recorded(victim, CPU_ROWS, lambda recording: Tuned(engine, recording).run())
        runs = _runs(engine, victim, setting, (small, large, sequential))
        with little_garbage():
            seconds = _repeat(runs, setting)
    return {
        "attack": attack.recipe.name,
        "rows": len(walked),
        "odd_rows": len(labels) - len(walked),
        "stock_rows": min(setting.stock_rows, len(walked)),
        "equal_rows": equal_rows(engine, mine, theirs),
        **of_results(mine),
        **of_timings(seconds, sum(row.queries for row in mine), sum(row.distinct for row in mine)),
    }


def _recorded(
    victim: Victim, rows_a_batch: int, run: Callable[[Victim], list[AttackedRow]]
) -> tuple[list[AttackedRow], Logits]:
    recorder = Recorder(victim.model)
    return run(BatchVictim(recorder, victim, victim.device, rows_a_batch)), recorder.logits


def _runs(engine: Engine, victim: Victim, setting: Setting, recorded: tuple[Logits, Logits, Logits]) -> Runs:
    """All timed runs. `recorded`: logits of the engine in small and in large batches, and of TextAttack."""
    small, large, sequential = recorded
    some = Engine(engine.attack, engine.places[: setting.stock_rows], engine.labels)

    def real() -> Victim:
        return BatchVictim(victim.model, victim, victim.device, 0)

    def device(logits: Logits, wait_ms: float, rows_a_batch: int) -> Victim:
        return BatchVictim(SimulatedDevice(logits, wait_ms), victim, CPU, rows_a_batch)

    def ready(opened: Callable[[], Victim], cold: bool, attacked: Engine) -> Callable[[], Any]:
        forget_tokens()
        fresh = opened()
        if not cold:
            engine.run(device(small, 0.0, CPU_ROWS))
            _ = fresh.vocabulary  # once for all attacks on a student
        return lambda: attacked.run(fresh)

    runs: Runs = {
        "tuned": lambda: Tuned(engine, real()).run,
        "tuned_python": lambda: Tuned(engine, device(sequential, 0.0, CPU_ROWS)).run,
        "tuned_device": lambda: Tuned(engine, device(sequential, setting.wait_ms, CPU_ROWS)).run,
    }
    engines: dict[str, Callable[[], Victim]] = {
        "engine": real,
        "python_32": partial(device, small, 0.0, CPU_ROWS),
        "python_1024": partial(device, large, 0.0, DEVICE_ROWS),
        "engine_device": partial(device, large, setting.wait_ms, DEVICE_ROWS),
    }
    for state, cold in (("", False), ("_cold", True)):
        for name, opened in engines.items():
            runs[name + state] = partial(ready, opened, cold, engine)
        if setting.stock_rows:
            runs[f"engine_on_stock_rows{state}"] = partial(ready, real, cold, some)
    if setting.stock_rows:
        stock = Stock(some, victim, setting.seed)
        runs["stock"] = lambda: stock.run
    return runs


def _repeat(runs: Runs, setting: Setting) -> dict[str, list[Timing]]:
    """All runs, turn by turn, each repeat beginning with another; stock TextAttack switches gradients itself."""
    names = list(runs)
    seconds: dict[str, list[Timing]] = {name: [] for name in names}
    for repeat in range(setting.repeats):
        start = repeat * len(names) // setting.repeats
        for name in (*names[start:], *names[:start]):
            with torch.inference_mode(name != "stock"):
                run = runs[name]()
                timing, _ = timed(run, setting.device)
            seconds[name].append(timing)
    return seconds


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    environment = {
        name: Path(os.environ[name]) for name in ("ROSEARCH_DATA", "ROSEARCH_RESOURCES") if name in os.environ
    }
    parser.add_argument("--data-root", type=Path, default=environment.get("ROSEARCH_DATA"))
    parser.add_argument("--resources", type=Path, default=environment.get("ROSEARCH_RESOURCES"))
    parser.add_argument(
        "--student", type=Path, action="append", default=[], help="a saved student's folder; repeatable"
    )
    parser.add_argument("--known", nargs="*", help=f"architectures to train first (default: {' '.join(STUDENTS)})")
    parser.add_argument("--headline", help="the student that the top-level figures are of (default: the first)")
    parser.add_argument("--tokenizer", type=Path, help="of saved students without their own, and of those trained here")
    parser.add_argument("--training-steps", type=int, default=150)
    parser.add_argument("--attacks", nargs="+", default=list(ATTACKS))
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--stock-rows", type=int, default=20, help="0: leave stock TextAttack out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--wait-ms", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def _students(options: argparse.Namespace) -> list[BenchmarkStudent]:
    tokenizer = open_tokenizer(options.tokenizer)
    known = options.known if options.known is not None else ([] if options.student else STUDENTS)
    students = [saved_student(folder, tokenizer) for folder in options.student]
    students += [trained_student(name, tokenizer, options.data_root, options.training_steps) for name in known]
    return sorted(students, key=lambda student: student.name != options.headline)  # stable: the rest as given


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _options(arguments)
    torch.set_num_threads(1)
    setting = Setting(
        options.rows,
        options.stock_rows,
        options.repeats,
        options.wait_ms,
        options.seed,
        resolve_device(options.device),
    )
    validation = read_sst2(options.data_root, "dev.tsv")
    resources = Resources(options.resources)
    result = measure(
        _students(options),
        options.attacks,
        validation,
        setting,
        resources,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    if options.json:
        print(json.dumps(result, indent=1))
    else:
        show(result, Console(width=None if sys.stdout.isatty() else 180))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RosearchError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
