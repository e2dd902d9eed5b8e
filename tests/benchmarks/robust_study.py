"""What makes students robust, architecture, distillation or both? The finalists of finished searches, side by side.

    python -m tests.benchmarks.robust_study RUN... [--json] [--reference both]

RUNs are folders named TASK-ARM-NNNN (experiments/robustness/README.md makes them). The JSON is a list with one object
for each finalist and seed, of test rows: arm, task, seed, architecture, source (its input layer), parameters,
compression (against BERT-base's 109.48 M, all weights), compression_layers (against its layers' 85.05 M), clean (on all
test rows) and of each attack the accuracy under it with its Wilson interval. The table gives means over the seeds with
the smallest and the largest, and what `--reference` has more than each other arm of its task: per row the mean over
seeds, rows drawn again 10,000 times.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from rosearch.evaluation.comparison import bootstrap_difference
from rosearch.measurements import BERT_BASE_ENCODER_PARAMETERS, BERT_BASE_PARAMETERS, Measurements
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import load_results
from tests.benchmarks.cells import share_surviving, spread

Rows = list[dict[str, Any]]


def main(arguments: list[str] | None = None) -> None:
    """Read the runs and print their finalists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--reference", default="both", metavar="ARM")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = [row for run in options.runs for row in finalists(run)]
    if options.json:
        print(json.dumps([{key: value for key, value in row.items() if key[0] != "_"} for row in rows], indent=1))
    else:
        print(table(rows), gains(rows, options.reference), sep="\n\n")


def finalists(run: Path) -> Rows:
    """The measured finalists of one run; `_outcomes` holds the letters of each attack, row by row."""
    results = load_results(RunDirectory.open(run))
    task, arm = results.experiment.name.rsplit("-", 1)
    return [
        row_of(task, arm, record, record.measurements)
        for record in results.measured("finalist")
        if record.measurements is not None
    ]


def row_of(task: str, arm: str, record: Record, found: Measurements) -> dict[str, Any]:
    """One finalist as plain data."""
    parameters, layers = found.efficiency.parameters, found.efficiency.encoder_parameters
    row: dict[str, Any] = {
        "arm": arm,
        "task": task,
        "seed": record.replicate + 1,
        "architecture": record.id,
        "source": dict(record.genotype.source),
        "parameters": parameters,
        "compression": BERT_BASE_PARAMETERS / parameters,
        "compression_layers": BERT_BASE_ENCODER_PARAMETERS / layers,
        "clean": found.quality.value,
        "largest_class_share": found.quality.largest_class_share,
        "train_rows_seen": found.training.rows_seen,
        "seconds_distil": round(record.seconds.get("distil", 0.0), 1),
    }
    worst = [] if found.robustness is None else [("worst_case", found.robustness)]
    attacks = [(one.attack, one) for one in found.attacks]
    for name, one in [*attacks, *worst]:
        value = one.under_attack
        row |= {"rows": one.n, name: value.value, f"{name}_interval": [value.low, value.high]}
    row["_outcomes"] = {name: one.survived for name, one in [*attacks, *worst]}
    return row


def by_cell(rows: Rows) -> dict[tuple[str, str], Rows]:
    """The rows of each task and arm, in the order given."""
    cells: dict[tuple[str, str], Rows] = defaultdict(list)
    for row in rows:
        cells[row["task"], row["arm"]].append(row)
    return cells


def attacks_of(row: dict[str, Any]) -> list[str]:
    """The attacks of a row, the worst case last."""
    return list(row["_outcomes"])


def table(rows: Rows) -> str:
    """Means over seeds, the smallest and the largest in brackets, as Markdown."""
    names = attacks_of(rows[0])
    head = ["task", "arm", "input layer", "parameters", "against BERT-base", "clean", *names]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for (task, arm), cell in by_cell(rows).items():
        first = cell[0]
        source = ", ".join(f"{name} {value}" for name, value in first["source"].items()) or "wordpiece"
        size = f"{first['compression']:.1f}x ({first['compression_layers']:.1f}x)"
        values = [spread([row[name] for row in cell]) for name in ("clean", *names)]
        parameters = f"{first['parameters'] / 1e6:.2f} M"
        lines.append(f"| {' | '.join([task, f'`{arm}`', source, parameters, size, *values])} |")
    return "\n".join(lines)


def gains(rows: Rows, reference: str) -> str:
    """What the reference has more than each other arm on the same test rows, in points, as Markdown."""
    cells, names = by_cell(rows), attacks_of(rows[0])
    lines = [f"| `{reference}` over | task | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for (task, arm), cell in cells.items():
        if arm == reference or (task, reference) not in cells:
            continue
        differences = [
            bootstrap_difference(_per_row(cells[task, reference], name) - _per_row(cell, name)) for name in names
        ]
        lines.append(f"| `{arm}` | {task} | {' | '.join(map(str, differences))} |")
    return "\n".join(lines)


def _per_row(cell: Rows, attack: str) -> Any:
    return share_surviving([row["_outcomes"][attack] for row in cell])


if __name__ == "__main__":
    main()
