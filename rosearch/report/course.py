"""How far a search is, in words: one line of the whole, one for each thing that is done now."""

from __future__ import annotations

import re

from rosearch.run.course import Overall
from rosearch.run.results import Results
from rosearch.run.standing import Stage, Standing

# The stages of driver and workers by the names that records have; others read as they are.
_WORDS = {
    "teacher": "fine-tuning the teacher",
    "open": "loading data and teacher",
    "build": "building",
    "start": "starting",
    "distil": "distilling",
    "quality": "measuring quality",
    "meaning": "measuring meaning",
    "meaning and latency": "measuring meaning and latency",
    "efficiency": "measuring efficiency",
    "save": "saving",
}


def stage_words(name: str) -> str:
    """`attack pruthi` is `attack pruthi`, `compile pruthi` is `compiling the plan of pruthi`."""
    before, comma, last = name.rpartition(", ")
    said = re.sub(r"^compile\b", "compiling the plan of", last) if last.startswith("compile ") else last
    return before + comma + _WORDS.get(said, said)


def time_words(seconds: float) -> str:
    """`40 s`, `3 min`, `1 h 20 min`: as exact as an estimate is."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{max(1, minutes)} min"
    hours, rest = divmod(10 * round(minutes / 10), 60)
    return f"{hours} h" + (f" {rest} min" if rest else "")


def overall_line(told: Overall, elapsed: float = 0.0) -> str:
    """`stage 3 of 4: generation 1 | 7 of 18 done | best #4 0.712 | 3 min left`.

    `elapsed` are the seconds since the estimate was made.
    """
    parts = [f"stage {told.stage} of {told.stages}: {told.title}", f"{told.done} of {told.of} done"]
    if told.best is not None and told.fitness is not None:
        parts.append(f"best #{told.best} {told.fitness:.3f}")
    if told.seconds_left is not None and told.done < told.of:
        left = told.seconds_left - elapsed
        parts.append(f"{time_words(left)} left" if left > 5 else "a few seconds left")
    return " | ".join(parts)


def counted(stage: Stage) -> str:
    """`attack pruthi 12 of 50`; without the count where nobody can count."""
    count = f" {stage.done} of {stage.total}" if stage.total > 1 else ""
    return stage_words(stage.name) + count


def work_lines(standing: Standing, now: float) -> list[str]:
    """A line for each of the driver's own stages and each student at work, with the time that the stage lasts."""
    own = [(counted(stage), stage) for stage in standing.own]
    students = [(f"#{one.number} {one.label}: {counted(one.stage)}", one.stage) for one in standing.at_work]
    lines = [f"{told}, for {_lasting(now - stage.since)}" for told, stage in (*own, *students)]
    return lines + ([f"{standing.others:,} more students at work"] if standing.others else [])


def _lasting(seconds: float) -> str:
    return f"{max(0.0, seconds):.0f} s" if seconds < 120 else time_words(seconds)


def course_lines(results: Results, now: float) -> list[str]:
    """How far a run is, then what is done now, or was when its driver was killed."""
    lines = [overall_line(results.overall)]
    standing = results.standing
    if results.state == "running" and standing is not None:
        return lines + [f"  {line}" for line in work_lines(standing, now)]
    if results.state == "interrupted" and standing is not None:
        was = "; ".join(work_lines(standing, standing.written)) or "between two stages"
        lines.append(f"  killed {_lasting(now - standing.written)} ago, at: {was}")
    return lines
