"""One candidate's life: opened, built, distilled, measured, saved. The unit that a worker runs.

Every error becomes data: an outcome holds measurements or a failure.
"""

from __future__ import annotations

from typing import Literal

import torch

from rosearch.errors import CandidateFailed, DamagedError
from rosearch.materials.kind import kind_of
from rosearch.materials.life import CandidateJob
from rosearch.measurements import Measurements, to_json
from rosearch.models.saved import save_whole
from rosearch.progress import Progress, Stopwatch
from rosearch.records.record import Failure, Outcome


def run_candidate(job: CandidateJob, progress: Progress) -> Outcome:
    """Build, distil, measure and save one student. Never raises for a candidate's own fault: it returns a failure."""
    watch = Stopwatch()
    torch.set_num_threads(job.experiment.execution.threads)  # part of the result: it decides how sums are split
    try:
        try:
            return Outcome(_live(job, watch, progress), None, watch.seconds)
        except DamagedError:  # a file of the cache, which the second try makes anew
            return Outcome(_live(job, watch, progress), None, watch.seconds)
    except CandidateFailed as failure:
        return Outcome(None, Failure(failure.kind, failure.stage or watch.current, str(failure)), watch.seconds)
    except Exception as error:
        kind: Literal["oom", "exception"] = "oom" if _is_out_of_memory(error) else "exception"
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # the next candidate of this worker must not inherit the shortage
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        return Outcome(None, Failure(kind, watch.current, message), watch.seconds)


def _live(job: CandidateJob, watch: Stopwatch, progress: Progress) -> Measurements:
    with watch.stage("open"):
        life = kind_of(job.experiment).open(job)
    with watch.stage("build"):
        student = life.build()
    with watch.stage("distil"):
        trained = life.distil(student, progress)
    measurements = life.measure(student, trained, watch, progress)  # its stages are its own
    with watch.stage("save"):
        _check_finite(measurements)
        save_whole(job.student_folder, *life.kept(student))
    return measurements


def _check_finite(measurements: Measurements) -> None:
    """Raise `CandidateFailed` for a value that is no finite number; in the driver it could not be stored."""
    try:
        to_json(measurements)
    except ValueError as error:
        raise CandidateFailed("nan", str(error)) from None


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
