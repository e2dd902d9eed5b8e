"""The latency that a fitness depends on, measured by the driver while its workers wait: the machine is then quiet.

On a GPU a second process would not be quiet, so the process that holds the model times it; ONNX Runtime times on the
processor, wherever students learn. The process that holds the model also times latency that no fitness depends on: a
process of its own costs some seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from rosearch.config.experiment import Experiment
from rosearch.evaluation.efficiency import in_runtime, measure_latency, timing_device
from rosearch.evaluation.latency_table import LatencyTable
from rosearch.evaluation.quiet_latency import Subject
from rosearch.measurements import Latency
from rosearch.models.device import resolve_device
from rosearch.space.genotype import Genotype


def student_latencies(
    experiment: Experiment, genotypes: Sequence[Genotype], tokenizer: Path, cache: Path
) -> list[tuple[Latency, ...] | None]:
    """The latency of each architecture at each batch size; None if its worker is to measure it.

    `tokenizer` is the folder of the teacher's tokenizer. Raises `RosearchError` where the measuring process fails.
    """
    if not _quiet(experiment):
        return [None] * len(genotypes)
    genotypes = [genotype.architecture for genotype in genotypes]  # how it is trained takes no time here
    spelt = [None if genotype.source_setting["characters"] == "none" else tokenizer for genotype in genotypes]
    subjects = [Subject(genotype, tokenizer=pieces) for genotype, pieces in zip(genotypes, spelt, strict=True)]
    table, config = LatencyTable(cache), experiment.evaluation.efficiency
    return list(table.latencies(subjects, config, experiment.execution.threads))


def teacher_latency(
    load: Callable[[], PreTrainedModel], folder: Path, experiment: Experiment, cache: Path
) -> float | None:
    """The teacher's median latency in ms at the first batch size; None if nothing is timed.

    `load` gives the model in `folder`. On a CPU its latency is the yardstick of the machine's table of latencies.
    """
    config, threads = experiment.evaluation.efficiency, experiment.execution.threads
    if not (config.repeats and config.batch_sizes):
        return None
    if _quiet(experiment):
        return LatencyTable(cache).yardstick(Subject(folder=folder), config, threads)[0].median_ms
    return plain_latency(load, experiment)


def plain_latency(load: Callable[[], PreTrainedModel], experiment: Experiment) -> float | None:
    """The median latency of a model in ms at the first batch size, timed in this process; None if nothing is timed."""
    config = experiment.evaluation.efficiency
    if not (config.repeats and config.batch_sizes):
        return None
    model, before = load(), torch.get_num_threads()
    torch.set_num_threads(experiment.execution.threads)  # as for the students
    try:
        timed, where = in_runtime(model, config), timing_device(config, model.device)
        return measure_latency(timed, config.batch_sizes[0], config, where).median_ms
    finally:
        torch.set_num_threads(before)


def _quiet(experiment: Experiment) -> bool:
    """True where the driver times: a fitness follows from latency, and models are timed on the processor."""
    where = timing_device(experiment.evaluation.efficiency, resolve_device(experiment.execution.own_device))
    return bool(experiment.fitness.wants_latency) and where.type == "cpu"
