"""One candidate's life: opened, built, distilled, measured, saved. The unit that a worker runs.

Every error becomes data: an outcome holds measurements or a failure. Only an error of the machine, such as a full disk,
is raised: it says nothing of the candidate.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from rosearch.errors import CandidateFailed, DamagedError, is_out_of_memory, machine_fault
from rosearch.materials.kind import kind_of
from rosearch.materials.life import CandidateJob
from rosearch.measurements import Measurements, to_json
from rosearch.models.saved import save_whole
from rosearch.progress import Progress, Stopwatch, step
from rosearch.records.record import Failure, Outcome


def run_candidate(job: CandidateJob, progress: Progress) -> Outcome:
    """Build, distil, measure and save one student. A candidate's own fault is returned as a failure, never raised.

    Too little memory for it is its own fault. Raises an error of the machine (`errors.machine_fault`).
    """
    watch = Stopwatch()
    torch.set_num_threads(job.experiment.execution.threads)  # part of the result: it decides how sums are split
    try:
        try:
            return Outcome(_live(job, watch, progress), None, watch.seconds)
        except DamagedError:  # a file of the cache, which the second try makes anew
            return Outcome(_live(job, watch, progress), None, watch.seconds)
    except Exception as error:
        failure = _failure(error, watch)
        if failure.kind != "oom" and machine_fault(error):
            raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # the next candidate of this worker must not inherit the shortage
        return Outcome(None, failure, watch.seconds)


def _failure(error: Exception, watch: Stopwatch) -> Failure:
    if isinstance(error, CandidateFailed):
        return Failure(error.kind, error.stage or watch.current, str(error))
    message = f"{type(error).__name__}: {error}".splitlines()[0]
    return Failure("oom" if is_out_of_memory(error) else "exception", watch.current, message)


def _live(job: CandidateJob, watch: Stopwatch, progress: Progress) -> Measurements:
    with watch.stage("open"), step(progress, "open"):
        life = kind_of(job.experiment).open(job)
    with watch.stage("build"), step(progress, "build"):
        student = life.build()
        taken = life.inherit(student)
    with watch.stage("distil"):
        trained = life.distil(student, progress)
    measurements = life.measure(student, trained, watch, progress)  # its stages are its own
    with watch.stage("save"):
        _check_finite(measurements)
        save_whole(job.student_folder, *life.kept(student))
        return replace(measurements, lineage=job.lineage(taken, measurements.training.steps))


def _check_finite(measurements: Measurements) -> None:
    """Raise `CandidateFailed` for a value that is no finite number; in the driver it could not be stored."""
    try:
        to_json(measurements)
    except ValueError as error:
        raise CandidateFailed("nan", str(error)) from None
