"""Do `torch.compile` and CUDA graphs pay for small students on a GPU, after their own cost?

    python -m tests.benchmarks.gpu_step [--device cuda] [--steps 60] [--only 0,1] [--json]

The eight genotypes of `trainer_limit`, in bfloat16 where the device has it: as rosearch trains them, with
`torch.compile(dynamic=True)`, and with CUDA graphs (`mode="reduce-overhead"`, texts padded to the next 16 tokens, so
that few shapes are recorded). Of each: milliseconds of a step once all shapes were seen, the seconds until then, and
the steps after which it has paid for itself; none: it never does. The loss and the optimiser are those of a
distillation; gradients are not clipped. Nothing here changes how rosearch trains.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from rosearch.data.batches import TaskRows
from rosearch.models.device import autocast, resolve_device, resolve_precision
from tests.benchmarks.trainer_limit import Trial, genotypes, training_rows

Batch = dict[str, Tensor]
FORMS: dict[str, dict[str, Any]] = {
    "eager": {},
    "compiled": {"dynamic": True},
    "graphs": {"mode": "reduce-overhead", "dynamic": False},
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--only", default="", help="numbers of genotypes, such as 0,1; default: all eight")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    device, drawn = resolve_device(options.device), genotypes()
    chosen = [int(number) for number in options.only.split(",") if number] or range(len(drawn))
    rows = []
    for number in chosen:
        found = {name: timed(drawn[number], name, device, options.steps) for name in FORMS}
        rows.append({"width": drawn[number].width, "nodes": len(drawn[number].nodes), **verdict(found)})
        if not options.json:
            print(json.dumps(rows[-1]), flush=True)
    if options.json:
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        print(json.dumps({"device": name, "torch": torch.__version__, "genotypes": rows}, indent=2))


def timed(genotype: Any, form: str, device: torch.device, steps: int) -> tuple[float, float]:
    """Seconds of a step once every shape was seen, and seconds before that."""
    torch.compiler.reset()
    trial = Trial(genotype, training_rows(), "auto")
    student = trial.student.to(device).train()
    model: Callable[..., Any] = student if form == "eager" else torch.compile(student, **FORMS[form])
    optimiser = torch.optim.AdamW(student.parameters(), lr=1e-4, fused=True)
    batches = [
        padded(batch.inputs, 16 if form == "graphs" else 1, device) for batch in TaskRows(trial.rows).epoch(64, 1, 0)
    ]
    answers = torch.zeros(64, 2, device=device)

    def epoch(wanted: int) -> float:
        _wait(device)
        begun = time.perf_counter()
        for batch in itertools.islice(itertools.cycle(batches), wanted):
            with autocast(device, resolve_precision(device, "auto"), training=True):
                logits = model(**batch).logits
            F.kl_div(logits.float().log_softmax(-1), answers.softmax(-1), reduction="batchmean").backward()
            optimiser.step()
            optimiser.zero_grad()
        _wait(device)
        return time.perf_counter() - begun

    first = epoch(2 * len(batches))  # CUDA graphs are recorded at the second call
    return epoch(steps) / steps, first


def padded(inputs: Batch, multiple: int, device: torch.device) -> Batch:
    """Inputs with so many more padded tokens that their number is a multiple."""
    more = -inputs["input_ids"].shape[1] % multiple
    return {name: F.pad(value, (0, more)).to(device) for name, value in inputs.items()}


def verdict(found: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Milliseconds of a step by form, seconds before, and the steps after which a form has paid for itself."""
    step, first = found["eager"]
    told: dict[str, Any] = {}
    for name, (seconds, before) in found.items():
        gain, cost = step - seconds, max(0.0, before - first)
        paid = math.ceil(cost / gain) if gain > 0 else None
        told |= {f"{name}_ms": round(1000 * seconds, 3), f"{name}_before_s": round(before, 2)}
        told |= {} if name == "eager" else {f"{name}_pays_after": paid}
    return told


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
