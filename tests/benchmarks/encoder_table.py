"""Losses of a finished search for encoders and latencies taken now, as the table that `controller_replay` reads.

    python -m tests.benchmarks.encoder_table RUN [--repeats 30] > TABLE.json

RUN is a search of every encoder of its space (`evolution.strategy=random` with as many candidates as there are), each
distilled once. Latency is taken here and not in the run, of all encoders and of the teacher in one quiet process, at
batch 1 and the experiment's number of tokens, one thread: see to it that nothing else runs. The teacher is timed before
and after them; both figures are kept, and their mean is the teacher's latency.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rosearch.config.evaluation import EfficiencyConfig
from rosearch.evaluation.quiet_latency import Subject, measure_quietly
from rosearch.models.device import machine
from rosearch.models.places import locate_weights
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results, load_results
from rosearch.space.encoder_space import EncoderSpace
from rosearch.space.loading import load_space


def main(arguments: list[str] | None = None) -> None:
    """Read the run, time its encoders, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args(arguments)
    run = RunDirectory.open(options.run)
    space = load_space(run.search_space)
    if not isinstance(space, EncoderSpace):
        sys.exit(f"{options.run}: expected a search of a space of encoders, got {space.name}")
    print(json.dumps(table(load_results(run), space, options.repeats), indent=1))


def table(results: Results, space: EncoderSpace, repeats: int) -> dict[str, Any]:
    """The table's object, encoders in the order of the space."""
    experiment = results.experiment
    losses = {space.choice(record.genotype): record for record in results.measured("candidate")}
    choices = [choice for choice in space.choices() if choice in losses]
    config = EfficiencyConfig(
        tokens=experiment.evaluation.efficiency.tokens, batch_sizes=[1], warmup=5, repeats=repeats
    )
    teacher = Subject(folder=locate_weights(experiment.teacher.model))
    students = [Subject(space.genotype(choice)) for choice in choices]
    before, *timed, after = (found[0] for found in measure_quietly([teacher, *students, teacher], config, 1))
    encoders = []
    for choice, latency in zip(choices, timed, strict=True):
        found = losses[choice].measurements
        assert found is not None
        encoders.append(
            choice._asdict()
            | {
                "held_out_loss": found.held_out_loss,
                "latency_ms": latency.median_ms,
                "latency_quartiles_ms": [latency.low_ms, latency.high_ms],
                "steps": found.training.steps,
            }
        )
    return {
        "about": f"{experiment.name}: {experiment.teacher.model}, {len(choices)} of {len(space.choices())} encoders",
        "machine": machine(),
        "tokens": config.tokens,
        "teacher_latency_ms": (before.median_ms + after.median_ms) / 2,
        "teacher_latency_before_after_ms": [before.median_ms, after.median_ms],
        "encoders": encoders,
    }


if __name__ == "__main__":
    main()
